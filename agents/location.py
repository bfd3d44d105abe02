"""The location policy: where to look next."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Saccades = Literal["relative", "absolute"]


class LocationHead(nn.Module):
    """The paper's policy: a linear layer on the detached core (Mnih et al. 2014, section 3.1, "location network").

    Args:
        core: width of the core's state.
        motion: dimensions of a location.
    """

    def __init__(self, core: int, motion: int = 2) -> None:
        super().__init__()
        self.mean = nn.Linear(core, motion)

    def forward(self, glimpse: Tensor, location: Tensor, core: Tensor) -> Tensor:
        """Mean (N, motion), from the core (N, core) alone, which gets no gradient."""
        return self.mean(core.detach())


class WhereStream(nn.Module):
    """A small eye of its own for the gaze: what lies in the periphery draws it (the dorsal "where" stream).

    Reads the glimpse, the present location and the detached core through one hidden layer. No other loss trains it,
    and it trains nothing else.

    Args:
        glimpse: number of values in a glimpse.
        core: width of the core's state.
        hidden: units of the hidden layer.
        motion: dimensions of a location.
        initial_mean: the mean at first, whatever is seen, until it pays to do otherwise.
    """

    def __init__(self, glimpse: int, core: int, hidden: int, motion: int = 2, initial_mean: float = 0.0) -> None:
        super().__init__()
        self.hidden = nn.Linear(glimpse + motion + core, hidden)
        self.mean = nn.Linear(hidden, motion)
        nn.init.zeros_(self.mean.weight)
        nn.init.constant_(self.mean.bias, initial_mean)

    def forward(self, glimpse: Tensor, location: Tensor, core: Tensor) -> Tensor:
        """Mean (N, motion), from the glimpse (N, glimpse), the location (N, motion) and the core (N, core)."""
        seen = torch.cat([glimpse, location, core.detach()], dim=1)
        return self.mean(torch.relu(self.hidden(seen)))


class Baseline(nn.Module):
    """What return to expect, for less noise in the policy gradient (Williams 1992; Mnih et al. 2014, section 3.2).

    With `privileged`, it also knows the truth and how likely the agent finds it at present (the asymmetric critic of
    Pinto et al. 2018). That leaves the gradient unbiased, since neither depends on the location drawn, and explains
    far more of the return than the core can: the agent itself does not know whether it is wrong.

    Args:
        core: width of the core's state.
        classes: number of classes.
        privileged: whether it sees the target and its present likelihood; such a baseline exists in training only.
        motion: dimensions of a location.
        hidden: units of the hidden layer.
    """

    def __init__(self, core: int, classes: int, *, privileged: bool, motion: int = 2, hidden: int = 64) -> None:
        super().__init__()
        self.classes, self.privileged = classes, privileged
        self.hidden = nn.Linear(core + motion + (classes + 2 if privileged else 0), hidden)
        self.value = nn.Linear(hidden, 1)
        nn.init.zeros_(self.value.weight)

    def forward(self, core: Tensor, location: Tensor, target: Tensor, log_likelihood: Tensor) -> Tensor:
        """Expected return (N,) of the location about to be drawn.

        Args:
            core: (N, core), detached here.
            location: (N, motion), the present one.
            target: (N,) int64.
            log_likelihood: (N,) log p_t(target) of the present answer, detached here.
        """
        parts = [core.detach(), location]
        if self.privileged:
            known = log_likelihood.detach()[:, None]
            one_hot = nn.functional.one_hot(target, self.classes).to(core.dtype)
            parts += [one_hot, known, known.exp()]
        return self.value(torch.relu(self.hidden(torch.cat(parts, dim=1))))[:, 0]
