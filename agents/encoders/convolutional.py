"""Convolutional encoders: the controls that see the whole image at once.

A whole image is one glimpse. An environment made with `patch=<size of the canvas>, scales=1, num_glimpses=1` shows the
canvas itself, so that these networks train and evaluate by the same code, on the same scenes, as the attention agent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from agents.encoders.base import Encoder
from agents.spec import Observation, Parts

if TYPE_CHECKING:
    from agents.config import AgentConfig


def paper_layers(channels: int, height: int, width: int) -> tuple[nn.Sequential, int]:
    """8 filters of 10×10 at stride 5, then 256 units (Mnih et al. 2014, section 4.1), and the width of the result."""
    rows, columns = (height - 10) // 5 + 1, (width - 10) // 5 + 1
    layers = nn.Sequential(
        nn.Conv2d(channels, 8, 10, stride=5),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * rows * columns, 256),
        nn.ReLU(),
    )
    return layers, 256


def deep_layers(channels: int, width: int) -> tuple[nn.Sequential, int]:
    """A convolution at stride 2, four more with pooling between, the maximum over the image; and the width of the
    result."""

    def block(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

    layers = nn.Sequential(
        nn.Conv2d(channels, width, 5, 2, 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        *block(width, width),
        nn.MaxPool2d(2),
        *block(width, 2 * width),
        *block(2 * width, 2 * width),
        nn.MaxPool2d(2),
        *block(2 * width, 4 * width),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
    )
    return layers, 4 * width


def plain_image(parts: Parts) -> tuple[str, tuple[int, int, int]]:
    """The name, and (channels, height, width), of a part that shows a whole image: a glimpse, or an overview.

    Raises:
        ValueError: where it has several scales.
    """
    ((name, part),) = parts.items()
    *scales, channels, height, width = part.shape
    if scales not in ([], [1]):
        raise ValueError(f"a convolutional encoder sees plain images: set scales=1, got {scales[0]} scales")
    return name, (channels, height, width)


class ConvolutionalEncoder(Encoder):
    """A convolutional network over a glimpse of one scale: "paper_cnn" or "deep_cnn".

    Raises:
        ValueError: where a glimpse has several scales, and so is no plain image.
    """

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        self.name, (channels, height, width) = plain_image(parts)
        paper = config.glimpse_encoder == "paper_cnn"
        made = paper_layers(channels, height, width) if paper else deep_layers(channels, config.channels)
        self.layers, self.width = made

    def forward(self, observation: Observation) -> Tensor:
        """(B, width), of images (B, [1,] channels, height, width) in [0, 1]."""
        return self.layers(observation[self.name].flatten(1, -3))
