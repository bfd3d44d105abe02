"""The controls: networks that see the whole image at once.

A whole image is one glimpse: an environment made with `patch=<size of the canvas>, scales=1, num_glimpses=1` shows the
canvas itself, so these networks train and evaluate by the same code, on the same scenes, as the attention agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from agents.agent import AgentState, Decision
from agents.config import AgentConfig
from agents.heads import AnswerHead, Head, View, ViewSize
from agents.heads.answer import ClassHead
from agents.named import NamedModules
from agents.spec import EnvSpec
from memory import NoMemory, Watch


@dataclass(frozen=True)
class CNNConfig:
    """The form of a `WholeImageCNN`."""

    whole_image: ClassVar[bool] = True

    net: Literal["paper", "deep"] = "deep"
    """"paper": the two layers of Mnih et al. 2014, section 4.1; "deep": five convolutions, then the maximum."""
    width: int = 32
    """Channels of the first convolution of "deep"."""


def paper_layers(channels: int, height: int, width: int) -> tuple[nn.Sequential, int]:
    """8 filters of 10×10 at stride 5, then 256 units (Mnih et al. 2014, section 4.1); and the width of the result."""
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


class StayHead(Head):
    """Stays where it is: there is nothing else to look at."""

    uses_view = True

    def forward(self, features: Tensor, view: View) -> Tensor:
        """The present place."""
        assert view.here is not None
        return view.here

    def mode(self, params: Tensor) -> Tensor:
        """The same."""
        return params


class WholeImageCNN(nn.Module):
    """A convolutional network with the interface of `AttentionAgent`: one glimpse, one answer, no gaze.

    Args:
        spec: of an environment whose one glimpse, (1, channels, height, width), is the canvas.
        config: which network.

    Raises:
        ValueError: where a glimpse has several scales and so is not a plain image.
    """

    at_once = False
    baseline = None

    def __init__(self, spec: EnvSpec, config: CNNConfig) -> None:
        super().__init__()
        if spec.named("glimpse") is None:
            raise ValueError("a whole-image network sees images: the observation has no part of the role 'glimpse'")
        scales, channels, height, width = spec.observation["glimpse"].shape
        if scales != 1:
            raise ValueError(f"a whole-image network needs scales=1 and patch=size, got {scales} scales")
        self.spec, self.config = spec, config
        made = paper_layers(channels, height, width) if config.net == "paper" else deep_layers(channels, config.width)
        self.layers, features = made
        kinds = {"answer": ClassHead, "location": StayHead}
        self.heads = NamedModules(
            {name: kinds[name](part, features, ViewSize(0, 0), AgentConfig()) for name, part in spec.action.items()}
        )

    def initial_state(self, batch: int) -> AgentState:
        """An empty state."""
        nothing = torch.zeros(batch, 0, device=next(self.parameters()).device)
        return AgentState(nothing, nothing, {})

    def forward(self, observation: dict[str, Tensor], state: AgentState) -> Decision:
        """Logits of the image; the place stays where it is."""
        features = self.layers(observation["glimpse"][:, 0])
        view = View(here=observation["location"])
        params = {name: head(features, view) for name, head in self.heads.items()}
        return Decision(params, features, 1.0, state, {})

    def answer_head(self) -> AnswerHead:
        """The head that a target is for."""
        return self.heads["answer"]

    def policy_parameters(self) -> list[nn.Parameter]:
        """None: nothing here chooses where to look."""
        return []

    def watch(self, state: AgentState) -> Watch:
        """Nothing: there is no memory."""
        return NoMemory(1).watch({})

    def place_part(self) -> None:
        """None: nothing is looked at."""
        return

    def expected_return(self, *_: object) -> None:
        """None: nothing is drawn."""
        return

    def prepare(self, env: object, seed: int) -> None:
        """Nothing to do before a training."""
