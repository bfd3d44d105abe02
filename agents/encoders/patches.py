"""A small convolutional network over the patches of a glimpse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from agents.encoders.base import Encoder
from agents.spec import Observation, Parts

if TYPE_CHECKING:
    from agents.config import AgentConfig

CHANNELS = (12, 16)
"""Of the two convolutions of 3×3."""


class PatchEncoder(Encoder):
    """Two convolutions over the patches, whose scales and colours are the channels, then relu(W x).

    All scales have their cells in one place, so that a feature may combine what is sharp with what lies around it. The
    second convolution has stride 2.
    """

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        ((self.name, part),) = parts.items()
        scales, channels, height, width = part.shape
        self.periphery_size = part.values
        rows, columns = (height + 1) // 2, (width + 1) // 2
        self.layers = nn.Sequential(
            nn.Conv2d(scales * channels, CHANNELS[0], 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(CHANNELS[0], CHANNELS[1], 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(CHANNELS[1] * rows * columns, config.width),
            nn.ReLU(),
        )

    def forward(self, observation: Observation) -> Tensor:
        """(B, width), of patches (B, scales, channels, height, width) in [0, 1]."""
        return self.layers(observation[self.name].flatten(1, 2))

    def periphery(self, observation: Observation) -> Tensor:
        """(B, values), the patches as they are."""
        return self.in_a_row(observation)
