"""What is kept of episodes played: plain arrays and numbers."""
