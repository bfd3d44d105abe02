"""A deeper convolutional network over the patches of a glimpse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from agents.encoders.base import Encoder
from agents.spec import Observation, Parts

if TYPE_CHECKING:
    from agents.config import AgentConfig

BLOCKS = 4
"""Blocks of a convolution; the second half of them have twice as many channels as the first."""

GROUPS = 4
"""Groups of channels that are normalised together, at most."""

SMALLEST = 4
"""Cells of a side from which a block halves it."""


class BlockEncoder(Encoder):
    """Four blocks of convolution, normalisation, ReLU and pooling over the patches, then W x: an embedding.

    The network with which few-shot classification is usually reported (Vinyals et al. 2016, "Matching Networks for One
    Shot Learning", section 4.1), with the patches of all scales as channels. It normalises each glimpse by itself (Wu &
    He 2018, "Group Normalization"), so that an embedding does not depend on what else is in the batch. `channels` are
    those of the first block.
    """

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        ((self.name, part),) = parts.items()
        scales, colours, height, width = part.shape
        self.periphery_size = part.values
        layers: list[nn.Module] = []
        inputs, sides = scales * colours, (height, width)
        for block in range(BLOCKS):
            outputs = config.channels * (1 if block < BLOCKS // 2 else 2)
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.GroupNorm(groups(outputs), outputs)]
            layers.append(nn.ReLU())
            if min(sides) >= SMALLEST:
                layers.append(nn.MaxPool2d(2))
                sides = (sides[0] // 2, sides[1] // 2)
            inputs = outputs
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * sides[0] * sides[1], config.width))

    def forward(self, observation: Observation) -> Tensor:
        """(B, width), of patches (B, scales, channels, height, width) in [0, 1]."""
        return self.layers(observation[self.name].flatten(1, 2))

    def periphery(self, observation: Observation) -> Tensor:
        """(B, values), the patches as they are."""
        return self.in_a_row(observation)


def groups(channels: int) -> int:
    """The most groups, up to `GROUPS`, that divide these channels."""
    return max(number for number in range(1, GROUPS + 1) if channels % number == 0)
