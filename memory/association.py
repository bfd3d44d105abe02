"""Association: hops of recall without a softmax, so that a chain of them is a polynomial of what was written.

Memory networks that start without a softmax leave plateaus on which those with one stay (Sukhbaatar et al. 2015,
section 5, "linear start"): a softmax chooses before it knows what for, and no gradient tells it of the chain that a
better choice would have begun. Here the softmax stays away for good, and beside this chain the hops of `memory.hop`
keep theirs. A chain of linear recalls is also a tensor-product memory (Schlag & Schmidhuber 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SCALE = 0.1
"""Standard deviation of the maps at first. One word in common with a slot then makes a product of about one."""


class Association(nn.Module):
    """u_0 = M_0 x, and u_{k+1} = u_k + mean over the slots i of (u_k . M_k x_i) M_{k+1} x_i.

    What one hop recalls, the next one asks with: the maps are tied as in Sukhbaatar et al. 2015, section 2.2,
    "adjacent". No norm and no gate lies between: with the chain's wild answers of the first updates, a gate learns to
    close, and a norm hides how much was recalled.

    Args:
        input_size: of what is written.
        width: of u.
        hops: of the chain.
    """

    def __init__(self, input_size: int, width: int, hops: int) -> None:
        super().__init__()
        self.width, self.hops = width, hops
        self.maps = nn.Parameter(SCALE * torch.randn(hops + 1, input_size, width))

    def project(self, x: Tensor) -> Tensor:
        """What is written: (N, T, input_size) to (N, hops + 1, T, width)."""
        return x[:, None] @ self.maps

    def forward(self, asked: Tensor, written: Tensor, earlier: Tensor) -> Tensor:
        """The end of the chain.

        Args:
            asked: (N, Q, width), M_0 x of the steps that ask.
            written: (N, hops + 1, M, width), from `project`.
            earlier: (N or 1, Q, M) bool, the slots that each may recall.

        Returns:
            (N, Q, width).
        """
        share = earlier.to(asked.dtype)
        share = share / share.sum(-1, keepdim=True).clamp(min=1)
        for hop in range(self.hops):
            asked = asked + (asked @ written[:, hop].mT * share) @ written[:, hop + 1]
        return asked
