"""The baseline: what return to expect."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Baseline(nn.Module):
    """Expected return, for less noise in the policy gradient (Williams 1992; Mnih et al. 2014, section 3.2).

    With a target, it also knows the target and its present likelihood (the asymmetric critic of Pinto et al. 2018).
    That leaves the gradient unbiased, since neither depends on the action drawn, and explains far more of the return
    than the features can: the agent itself does not know whether it is wrong. Such a baseline exists in training only.

    Args:
        features: width of the features.
        place: dimensions of the present place; 0 without one.
        target: size of a target as numbers; 0 for a baseline that does not see it.
        hidden: units of the hidden layer.
    """

    def __init__(self, features: int, place: int, target: int, hidden: int = 64) -> None:
        super().__init__()
        self.target_size = target
        self.hidden = nn.Linear(features + place + (target + 2 if target else 0), hidden)
        self.value = nn.Linear(hidden, 1)
        nn.init.zeros_(self.value.weight)

    def forward(self, features: Tensor, place: Tensor | None, target: Tensor | None, log_likelihood: Tensor) -> Tensor:
        """Expected return (B,) of the actions about to be drawn.

        Args:
            features: (B, F), detached here.
            place: (B, D), the present one.
            target: (B, target size), as numbers; None where the environment tells none, which counts as zeros.
            log_likelihood: (B,) log p(target) of the present answer, detached here.
        """
        parts = [features.detach()] if place is None else [features.detach(), place]
        if self.target_size:
            known = log_likelihood.detach()[:, None]
            target = features.new_zeros(len(features), self.target_size) if target is None else target
            parts += [target.to(features.dtype), known, known.exp()]
        return self.value(torch.relu(self.hidden(torch.cat(parts, dim=1))))[:, 0]
