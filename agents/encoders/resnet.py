"""ResNet-18 over a whole image: a control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from agents.encoders.base import Encoder
from agents.encoders.convolutional import plain_image
from agents.spec import Observation, Parts

if TYPE_CHECKING:
    from agents.config import AgentConfig

WIDTHS = (64, 128, 256, 512)
"""Channels of the four stages, of two blocks each."""


def convolution(inputs: int, outputs: int, size: int, stride: int) -> nn.Sequential:
    """A convolution and batch normalisation."""
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """relu(x + two convolutions of x), the basic block (He et al. 2016, figure 5, left)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        first, second = convolution(inputs, outputs, 3, stride), convolution(outputs, outputs, 3, 1)
        self.residual = nn.Sequential(first, nn.ReLU(), second)
        alike = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if alike else convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h / stride, w / stride)."""
        return (self.shortcut(x) + self.residual(x)).relu()


class ResNetEncoder(Encoder):
    """ResNet-18, from nothing (He, Zhang, Ren & Sun 2016, "Deep Residual Learning for Image Recognition", table 1).

    Raises:
        ValueError: where a glimpse has several scales, and so is no plain image.
    """

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        self.name, (channels, *_) = plain_image(parts)
        blocks, inputs = [], WIDTHS[0]
        for stage, outputs in enumerate(WIDTHS):
            blocks += [Block(inputs, outputs, 1 if stage == 0 else 2), Block(outputs, outputs, 1)]
            inputs = outputs
        stem = convolution(channels, WIDTHS[0], 7, 2)
        pooled = nn.MaxPool2d(3, 2, 1)
        self.layers = nn.Sequential(stem, nn.ReLU(), pooled, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.width = WIDTHS[-1]

    def forward(self, observation: Observation) -> Tensor:
        """(B, width), of images (B, [1,] channels, height, width) in [0, 1]."""
        return self.layers(observation[self.name].flatten(1, -3))
