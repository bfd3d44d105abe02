"""Where to look next: a Gaussian around a learned mean."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from agents.heads.base import Head, View, ViewSize
from agents.spec import PartSpec
from memory.association import bounded

if TYPE_CHECKING:
    from agents.config import AgentConfig


LONGEST = 10.0
"""Largest root mean square of the features that a gaze sees. Nothing else bounds what a chain of recalls without a
softmax makes of them (`memory.association`), and features of a length in the hundreds hide where the gaze is."""


def gaze_features(features: Tensor, view: View) -> Tensor:
    """What a gaze sees: what the core has for it alone, or else the features (B, F), without gradient and scaled down
    where they are longer than `LONGEST`."""
    return bounded(features.detach(), LONGEST) if view.where is None else view.where


def gaussian_log_prob(sample: Tensor, mean: Tensor, std: Tensor | float) -> Tensor:
    """log N(sample; mean, std² I) of places as they were drawn, before any clipping to the canvas.

    Args:
        sample: (..., D), without gradient.
        mean: (..., D), with gradient: the only way by which the policy learns.
        std: standard deviation, positive; a number, or one a row.

    Returns:
        (...,) log-probabilities, without the constant that no gradient depends on.
    """
    return -(((sample.detach() - mean) / std) ** 2).sum(-1) / 2


def standard_normal(uniform: Tensor) -> Tensor:
    """Uniform numbers (..., 2 D) in [0, 1) to as many standard normal ones (Box & Muller 1958)."""
    radius = torch.sqrt(-2 * torch.log1p(-uniform[..., 0::2]))
    angle = 2 * math.pi * uniform[..., 1::2]
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1).flatten(-2)


class WhereStream(nn.Module):
    """A small eye of its own for the gaze: what lies in the periphery draws it (the dorsal "where" stream).

    Reads the periphery, the present place and the `gaze_features` through one hidden layer. Nothing but the policy
    gradient trains it, and it trains nothing else. With `hidden=0` it is the paper's linear layer on the detached
    features alone (Mnih et al. 2014, section 3.1, "location network").

    Args:
        size: of the view.
        features: width of the features.
        hidden: units of the hidden layer.
        outputs: dimensions of a place.
        initial: the mean at first, whatever is seen.
    """

    def __init__(self, size: ViewSize, features: int, hidden: int, outputs: int, initial: float) -> None:
        super().__init__()
        features = size.where or features
        self.hidden = nn.Linear(size.periphery + size.place + features, hidden) if hidden else None
        self.mean = nn.Linear(hidden or features, outputs)
        if self.hidden is not None:
            nn.init.zeros_(self.mean.weight)
            nn.init.constant_(self.mean.bias, initial)

    def forward(self, features: Tensor, view: View) -> Tensor:
        """(B, F) to means (B, outputs)."""
        if self.hidden is None:
            return self.mean(gaze_features(features, view))
        seen = [part for part in (view.periphery, view.here, gaze_features(features, view)) if part is not None]
        return self.mean(torch.relu(self.hidden(torch.cat(seen, dim=1))))


class StayHead(Head):
    """Stays where it is."""

    uses_view = True
    noise_size = 0

    def forward(self, features: Tensor, view: View) -> Tensor:
        """The present place, (B, D)."""
        return view.here if view.here is not None else features.new_zeros(len(features), self.part.values)

    def mode(self, params: Tensor) -> Tensor:
        """The same."""
        return params


class PlaceHead(Head):
    """Where to look next, by REINFORCE. The mean is unclipped; the environment clips it.

    By the role of the part: "place" is a place on the canvas, and the mean a step from the present one with
    `saccades="relative"`; a "saccade" is such a step already; a "motion" acts now, and need not be a place at all.

    Raises:
        ValueError: for relative saccades of agent and environment at once, or of an agent that is not shown where it
            is.
    """

    policy = True
    uses_view = True

    def __init__(self, part: PartSpec, features: int, view: ViewSize, config: AgentConfig) -> None:
        super().__init__(part, features, view, config)
        if part.role == "saccade" and config.saccades == "relative":
            raise ValueError(
                "the environment takes relative saccades, and the agent's are relative too: choose "
                'saccades="absolute" in one of them'
            )
        self.relative = part.role == "place" and config.saccades == "relative"
        if self.relative and view.place != part.values:
            raise ValueError(
                "relative saccades need to know the present place: the observation needs a part of the action's name "
                'and shape; or choose saccades="absolute"'
            )
        self.acts_on_next = part.role in ("place", "saccade")
        self.noise_size = part.values + part.values % 2
        self.stream = WhereStream(view, features, config.where_stream, part.values, config.initial_saccade)

    def forward(self, features: Tensor, view: View) -> Tensor:
        """(B, F) to the means (B, D)."""
        step = self.stream(features, view)
        step = step if view.prior is None else step + view.prior
        return view.here + view.unit * step if self.relative else step

    def mode(self, params: Tensor) -> Tensor:
        """The mean."""
        return params

    def noise(self, uniform: Tensor) -> Tensor:
        """(…, D) standard normal numbers."""
        return standard_normal(uniform)[..., : self.part.values]

    def around(self, action: Tensor) -> Tensor:
        """The place itself."""
        return action

    def draw(self, params: Tensor, noise: Tensor, deviation: Tensor | float) -> Tensor:
        """A place around the mean."""
        return params + deviation * noise

    def beyond(self, params: Tensor) -> Tensor | None:
        """(…,) the squared distance of means (…, D) to the canvas; None for what is no place."""
        return (params.abs() - 1).relu().square().sum(-1) if self.part.role == "place" else None

    def log_prob(self, params: Tensor, action: Tensor, deviation: Tensor | float = 1.0) -> Tensor:
        """(…,) of places (…, D)."""
        return gaussian_log_prob(action, params, deviation)
