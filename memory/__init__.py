"""What can be recalled: differentiable external memories. None yet."""
