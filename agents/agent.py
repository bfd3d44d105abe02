"""The attention agent: it looks, remembers what it saw, recalls, answers, and chooses where to look next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.core import CORES, CoreKind
from agents.glimpse_net import Join
from agents.location import Baseline, LocationHead, Saccades, WhereStream
from agents.options import parse_options
from agents.senses import BitsSense, Encoder, GlimpseSense, Hidden, PartsSense, SentenceSense, StorySense
from agents.spaces import Form
from memory import MemoryState, make_memory


@dataclass(frozen=True)
class AgentConfig:
    """The form of an `AttentionAgent`; `AgentConfig.paper()` is that of Mnih et al. 2014."""

    width: int = 256
    """Width of what is seen, and of the recurrent core."""
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
    encoder: Encoder = "bag"
    """How a line of text becomes a vector: "bag" (position encoding) or "attention" over its words."""
    core: CoreKind = "rnn"
    """"rnn", "lstm", or "none": then the memory alone remembers, and all steps of an episode are read at once."""
    memory: str = "none"
    """A row of `memory.MEMORIES`."""
    memory_options: tuple[str, ...] = ()
    """Keyword options of that memory, as `slots=64 heads=4`."""
    imagine: int = 0
    """Lines of a hidden story, from its end on, that are drawn in a map and imagined where they were not looked at. The
    gaze then begins with what matters most. 0 remembers only what was looked at, in the order of looking."""
    core_limit: float = 20.0
    """Largest absolute value of what the core hands to a memory."""

    @staticmethod
    def paper() -> AgentConfig:
        """The network of Mnih et al. 2014, section 4."""
        return AgentConfig(join="sum", where_stream=0, saccades="absolute", privileged_baseline=False)


class AgentState(NamedTuple):
    """What the agent carries from step to step.

    Attributes:
        core: (N, state size) of the recurrent core.
        read: (N, read size), what the memory answered last.
        memory: the memory's own; of an agent that imagines, the glimpses so far.
    """

    core: Tensor
    read: Tensor
    memory: MemoryState


class Draw(NamedTuple):
    """What of a map draws the gaze.

    Attributes:
        step: (N, 1), lines to go to the one that matters most.
        near: (N, …), what is imagined around the present line.
    """

    step: Tensor
    near: Tensor


class Decision(NamedTuple):
    """What the agent makes of a glimpse.

    Attributes:
        answer: (N, K) logits over the answers, or of the bits of one.
        location: (N, D) mean of the next location; unclipped, the environment clips it. Empty without a gaze.
        features: (N, F), what both rest on.
        unit: of saccades, in the unit of a location: 1, or (N, 1) the width of a line. The policy's deviation is in it.
        state: to be passed to the next call.
        draw: what of a map drew the gaze.
    """

    answer: Tensor
    location: Tensor
    features: Tensor
    unit: Tensor | float
    state: AgentState
    draw: Draw | None = None


class AttentionAgent(nn.Module):
    """The recurrent attention model (Mnih et al. 2014) with a memory, and a where-stream of its own.

    What learns from what (`|` marks a detach):

        observation ──► sense ──► core ⇄ memory ──► answer head   cross-entropy, through the whole row
           │                          |
           └──► where-stream ◄────────|                           REINFORCE alone, nothing flows back into the core
                                      |
                     baseline ◄───────|                           regression alone; the advantage is detached from it

    The core reads what is seen and what was recalled last, and the memory is written and asked by the core, as in the
    Neural Turing Machine (Graves et al. 2014, figure 1). With `core="none"` the memory is written and asked by what is
    seen, and its answer is all there is.

    Args:
        form: what is observed and answered, see `agents.spaces`.
        config: the form of the network.

    Raises:
        ValueError: for a memory without a core that remembers nothing, or a map.
        KeyError: for an unknown memory.
    """

    near = 0
    """Values of a map around the present line, which the gaze sees beside the periphery."""

    def __init__(self, form: Form, config: AgentConfig) -> None:
        super().__init__()
        if config.core == "none" and config.memory == "none":
            raise ValueError('core="none" and memory="none" would remember nothing: choose one of them')
        if config.imagine and type(self) is AttentionAgent:
            raise ValueError("imagine is for agents.imagining.ImaginingAgent; `make_agent` chooses it")
        self.form, self.config = form, config
        self.sense, seen = self.own_sense()
        recurrent = config.core != "none"
        self.memory = make_memory(
            config.memory, config.width if recurrent else seen, **parse_options(config.memory_options)
        )
        read = self.memory.read_size
        self.core = CORES[config.core](seen + read, config.width) if recurrent else None
        features = config.width + read if recurrent else read
        self.answer = nn.Linear(features, form.answers)
        self.gaze: nn.Module | None = None
        self.baseline: Baseline | None = None
        if form.motion:
            # On an image, stay; in a story, go back a line at a time; where it is imagined, to what matters most.
            first = -1.0 if form.kind == "story" and not self.near and config.saccades == "relative" else 0.0
            self.gaze = (
                WhereStream(form.periphery() + self.near, features, config.where_stream, form.motion, first)
                if config.where_stream
                else LocationHead(features, form.motion)
            )
            self.baseline = Baseline(features, form.answers, privileged=config.privileged_baseline, motion=form.motion)

    def own_sense(self) -> tuple[nn.Module, int]:
        """The encoder for what is observed, and the width of its result."""
        return make_sense(self.form, self.config)

    def initial_state(self, batch: int) -> AgentState:
        """The state before the first glimpse of `batch` episodes."""
        like = self.answer.weight
        size = self.core.state_size if self.core else 0
        read = like.new_zeros(batch, self.memory.read_size)
        return AgentState(like.new_zeros(batch, size), read, self.memory.initial_state(batch))

    def forward(self, observation: dict[str, Tensor], state: AgentState) -> Decision:
        """One step.

        Args:
            observation: of the form the agent was made for, batch first.
            state: from `initial_state`, or the last decision's.
        """
        features, state = self.remember(self.sense(observation), state)
        location, unit = self.look(observation, features)
        return Decision(self.answer(features), location, features, unit, state)

    def look(
        self, observation: dict[str, Tensor], features: Tensor, draw: Draw | None = None
    ) -> tuple[Tensor, Tensor | float]:
        """Where to look next: the mean, and its unit, as in `Decision`.

        Args:
            observation: the present one.
            features: (N, F), of the core and the memory.
            draw: of an agent with a map.
        """
        if self.gaze is None:
            return features.new_zeros(features.shape[0], 0), 1.0
        assert isinstance(self.sense, (GlimpseSense, PartsSense, Hidden))
        here, unit = observation["location"], self.sense.unit(observation)
        around = self.sense.periphery(observation)
        if draw is None:
            step = self.gaze(around, here, features)
        else:
            step = self.gaze(torch.cat([around, draw.near], -1), here, features) + draw.step
        relative = self.config.saccades == "relative" and self.form.kind != "parts"
        return here + unit * step if relative else step, unit

    def weights(self, state: AgentState) -> dict[str, Tensor]:
        """What the memory did in the last step, see `Memory.weights`."""
        return self.memory.weights(state.memory)

    def review(self, observations: dict[str, Tensor], decisions: Sequence[Decision] = ()) -> list[Decision]:
        """The decisions of whole episodes, observations (T, N, …), all at once: for agents without a core.

        The same numbers as step by step, with a gradient that costs far less.

        Args:
            observations: of each glimpse.
            decisions: made without gradient on all but the last, or none where the places were given. Not needed here.
        """
        steps, n = observations["location"].shape[:2]
        flat = {key: value.flatten(0, 1) for key, value in observations.items()}
        features = self.memory.read_episodes(self.sense(flat).unflatten(0, (steps, n))).flatten(0, 1)
        location, unit = self.look(flat, features)
        units = [unit] * steps if isinstance(unit, float) else unit.unflatten(0, (steps, n))
        answer = self.answer(features).unflatten(0, (steps, n))
        location, features = location.unflatten(0, (steps, n)), features.unflatten(0, (steps, n))
        nothing = self.initial_state(0)
        return [Decision(answer[t], location[t], features[t], units[t], nothing) for t in range(steps)]

    def remember(self, seen: Tensor, state: AgentState) -> tuple[Tensor, AgentState]:
        """What is seen (N, …) to the features (N, F) that answer and gaze rest on, and the next state."""
        if self.core is None:
            read, memory = self.memory(seen, state.memory)
            return read, AgentState(state.core, read, memory)
        if not self.memory.read_size:
            output, core = self.core(seen, state.core)
            return output, AgentState(core, state.read, state.memory)
        output, core = self.core(torch.cat([seen, state.read], dim=1), state.core)
        output = output.clamp(-self.config.core_limit, self.config.core_limit)
        read, memory = self.memory(output, state.memory)
        return torch.cat([output, read], dim=1), AgentState(core, read, memory)

    def unroll(self, observations: dict[str, Tensor], asked: Tensor | None = None) -> Tensor:
        """Whole episodes whose observations wait for no gaze: the features of each step. `answer` makes logits of them.

        Args:
            observations: with time first, (T, N, …).
            asked: (Q, N) int64, the steps whose features are wanted; None for all.

        Returns:
            (Q or T, N, F).
        """
        seen = self.sense(observations)
        if self.core is None:
            return self.memory.read_episodes(seen, asked)
        features, state = [], self.initial_state(seen.shape[1])
        for step in seen:
            feature, state = self.remember(step, state)
            features.append(feature)
        every = torch.stack(features)
        return every if asked is None else every.take_along_dim(asked[..., None], 0)

    def gaze_parameters(self) -> list[nn.Parameter]:
        """The parameters that REINFORCE alone trains."""
        return [] if self.gaze is None else list(self.gaze.parameters())


def make_sense(form: Form, config: AgentConfig) -> tuple[nn.Module, int]:
    """The encoder for what is observed, and the width of its result."""
    if form.kind == "image":
        return GlimpseSense(form.shape, config.width, config.join, config.where_hidden), config.width
    if form.kind == "parts":
        return PartsSense(form.shape[0], config.width), config.width
    if form.kind == "bits":
        return BitsSense(form.shape[0]), form.shape[0]
    if form.kind == "text":
        return SentenceSense(form.vocabulary, form.shape[0], config.width, config.encoder), config.width
    words, scales = form.shape
    return StorySense(form.vocabulary, words, scales, form.longest, config.width, config.encoder), config.width
