"""The attention agent: it looks, joins what it saw to what it knows, answers, and chooses where to look next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.glimpse_net import GlimpseNet, Join
from agents.location import Baseline, LocationHead, Saccades, WhereStream


@dataclass(frozen=True)
class AgentConfig:
    """The form of an `AttentionAgent`; `AgentConfig.paper()` is that of Mnih et al. 2014."""

    width: int = 256
    """Width of the glimpse vector and of the recurrent core."""
    join: Join = "product"
    """How what and where meet: "product", or "sum" as in the paper."""
    where_hidden: int = 0
    """Hidden units for the location in a product. They matter where no periphery tells what part of a thing is seen."""
    where_stream: int = 128
    """Hidden units of the gaze's own stream; 0 is the paper's linear layer on the core."""
    saccades: Saccades = "relative"
    """Whether the policy's mean is a step from the present fixation or a place on the canvas."""
    privileged_baseline: bool = True
    """Whether the baseline sees the truth (in training only; the agent never does)."""

    @staticmethod
    def paper() -> AgentConfig:
        """The network of Mnih et al. 2014, section 4."""
        return AgentConfig(join="sum", where_stream=0, saccades="absolute", privileged_baseline=False)


class AgentState(NamedTuple):
    """What the agent carries from glimpse to glimpse.

    Attributes:
        core: (N, width) state of the recurrent core.
    """

    core: Tensor


class Decision(NamedTuple):
    """What the agent makes of a glimpse.

    Attributes:
        answer: (N, K) logits over the answers.
        location: (N, 2) mean of the next location, x right, y down; unclipped, the environment clips it.
        state: to be passed to the next call.
    """

    answer: Tensor
    location: Tensor
    state: AgentState


class AttentionAgent(nn.Module):
    """The recurrent attention model (Mnih et al. 2014) with a where-stream of its own.

    What learns from what (`|` marks a detach):

        glimpse ──► glimpse net ──► core ──► answer head      cross-entropy, through the whole row
           │                          |
           └──► where-stream ◄────────|                       REINFORCE alone, nothing flows back into the core
                                      |
                     baseline ◄───────|                       regression alone; the advantage is detached from it

    Args:
        glimpse: shape of a glimpse, (scales, channels, height, width).
        classes: number of answers.
        config: the form of the network.
    """

    def __init__(self, glimpse: tuple[int, ...], classes: int, config: AgentConfig) -> None:
        super().__init__()
        self.glimpse, self.classes, self.config = tuple(glimpse), classes, config
        values, width = math.prod(glimpse), config.width
        self.glimpse_net = GlimpseNet(values, width, config.join, config.where_hidden)
        self.input = nn.Linear(width, width)
        self.recurrent = nn.Linear(width, width, bias=False)
        nn.init.eye_(self.recurrent.weight)  # remembers at first what it saw (Le, Jaitly & Hinton 2015)
        self.answer = nn.Linear(width, classes)
        self.gaze: nn.Module = (
            WhereStream(values, width, config.where_stream) if config.where_stream else LocationHead(width)
        )
        self.baseline = Baseline(width, classes, privileged=config.privileged_baseline)

    def initial_state(self, batch: int) -> AgentState:
        """The state before the first glimpse of `batch` episodes."""
        return AgentState(self.answer.weight.new_zeros(batch, self.config.width))

    def forward(self, observation: dict[str, Tensor], state: AgentState) -> Decision:
        """One glimpse.

        Args:
            observation: `glimpse` (N, scales, channels, height, width) and `location` (N, 2), float32.
            state: from `initial_state`, or the last decision's.
        """
        glimpse, location = observation["glimpse"].flatten(1), observation["location"]
        seen = self.glimpse_net(glimpse, location)
        core = torch.relu(self.input(seen) + self.recurrent(state.core))
        step = self.gaze(glimpse, location, core)
        mean = location + step if self.config.saccades == "relative" else step
        return Decision(self.answer(core), mean, AgentState(core))

    def gaze_parameters(self) -> list[nn.Parameter]:
        """The parameters that REINFORCE alone trains."""
        return list(self.gaze.parameters())
