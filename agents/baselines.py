"""The controls: networks that see the whole image at once.

A whole image is one glimpse: an environment made with `patch=<size of the canvas>, scales=1, num_glimpses=1` shows the
canvas itself, so these networks train and evaluate by the same code, on the same scenes, as the attention agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from agents.agent import AgentState, Decision
from agents.spaces import Form


@dataclass(frozen=True)
class CNNConfig:
    """The form of a `WholeImageCNN`."""

    net: Literal["paper", "deep"] = "deep"
    """"paper": the two layers of Mnih et al. 2014, section 4.1; "deep": five convolutions, then the maximum."""
    width: int = 32
    """Channels of the first convolution of "deep"."""


def paper_layers(channels: int, height: int, width: int, classes: int) -> nn.Sequential:
    """8 filters of 10×10 at stride 5, then 256 units (Mnih et al. 2014, section 4.1)."""
    rows, columns = (height - 10) // 5 + 1, (width - 10) // 5 + 1
    return nn.Sequential(
        nn.Conv2d(channels, 8, 10, stride=5),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * rows * columns, 256),
        nn.ReLU(),
        nn.Linear(256, classes),
    )


def deep_layers(channels: int, width: int, classes: int) -> nn.Sequential:
    """A convolution at stride 2, four more with pooling between, and the maximum over the image."""

    def block(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(
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
        nn.Linear(4 * width, classes),
    )


class WholeImageCNN(nn.Module):
    """A convolutional network with the interface of `AttentionAgent`: one glimpse, one answer, no gaze.

    Args:
        form: of an environment whose one glimpse, (1, channels, height, width), is the canvas.
        config: which network.

    Raises:
        ValueError: where a glimpse has several scales and so is not a plain image.
    """

    def __init__(self, form: Form, config: CNNConfig) -> None:
        super().__init__()
        scales, channels, height, width = form.shape
        if scales != 1:
            raise ValueError(f"a whole-image network needs scales=1 and patch=size, got {scales} scales")
        self.form, self.config = form, config
        self.layers = (
            paper_layers(channels, height, width, form.answers)
            if config.net == "paper"
            else deep_layers(channels, config.width, form.answers)
        )

    def initial_state(self, batch: int) -> AgentState:
        """An empty state."""
        nothing = torch.zeros(batch, 0, device=next(self.parameters()).device)
        return AgentState(nothing, nothing, {})

    def forward(self, observation: dict[str, Tensor], state: AgentState) -> Decision:
        """Logits of the image; the location stays where it is."""
        answer = self.layers(observation["glimpse"][:, 0])
        return Decision(answer, observation["location"], answer, 1.0, state)

    def gaze_parameters(self) -> list[nn.Parameter]:
        """None: nothing here chooses where to look."""
        return []
