"""A coarse look at the whole picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from agents.encoders.base import Encoder
from agents.spec import Observation, Parts

if TYPE_CHECKING:
    from agents.config import AgentConfig

CHANNELS = (12, 16)
"""Of the two convolutions."""
REGIONS = 6
"""Rows and columns over which the last convolution is averaged, so that a large overview needs no more weights."""


class OverviewEncoder(Encoder):
    """Two convolutions at stride 2, means over 6×6 regions, then relu(W x): the gist of a scene, and what is where.

    The context network of Ba et al. 2015, section 3, for what the agent answers. A gaze that chooses among the cells of
    the overview has eyes of its own for it (`agents.heads.cells`). With `ignore=("overview",)` the answer rests on
    glimpses alone.
    """

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        ((self.name, part),) = parts.items()
        first, second = CHANNELS
        self.layers = nn.Sequential(
            nn.Conv2d(part.shape[0], first, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(first, second, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(REGIONS),
            nn.Flatten(),
            nn.Linear(second * REGIONS**2, config.width),
            nn.ReLU(),
        )

    def forward(self, observation: Observation) -> Tensor:
        """(B, width), of overviews (B, channels, height, width) in [0, 1]."""
        return self.layers(observation[self.name])
