"""A glimpse of an image, and where it was: what and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from agents.encoders.base import Encoder
from agents.spec import Observation, Parts

if TYPE_CHECKING:
    from agents.config import AgentConfig


def layers(values: int, width: int, hidden: int) -> nn.Module:
    """A linear map, through a hidden layer where `hidden` is more than 0."""
    if not hidden:
        return nn.Linear(values, width)
    return nn.Sequential(nn.Linear(values, hidden), nn.ReLU(), nn.Linear(hidden, width))


class GlimpseEncoder(Encoder):
    """What a glimpse shows: relu(W g), or with `join="sum"` the paper's hidden layer of half the width.

    Mnih et al. 2014, section 3.1; the product of what and where is that of Larochelle & Hinton 2010.
    """

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        self.periphery_size = self.values()
        self.added = config.join == "sum"
        self.what = layers(self.values(), config.width, config.width // 2 if self.added else 0)

    def forward(self, observation: Observation) -> Tensor:
        """(B, width), of patches (B, scales, channels, height, width) in [0, 1]."""
        what = self.what(self.in_a_row(observation))
        return what if self.added else torch.relu(what)

    def periphery(self, observation: Observation) -> Tensor:
        """(B, values), the patches as they are."""
        return self.in_a_row(observation)


class PlaceEncoder(Encoder):
    """Where something was seen: W l, or through a hidden layer (`where_hidden`; half the width with `join="sum"`)."""

    modulates = True

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        hidden = config.width // 2 if config.join == "sum" else config.where_hidden
        self.where = layers(self.values(), config.width, hidden)

    def forward(self, observation: Observation) -> Tensor:
        """(B, width), of places (B, D) in [-1, 1]."""
        return self.where(self.in_a_row(observation))
