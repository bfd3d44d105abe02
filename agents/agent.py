"""The attention agent: it looks, remembers what it saw, recalls, answers, and chooses where to look next."""

from __future__ import annotations

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
from agents.story_map import NEAR, Imagined, StoryMap
from memory import Episodic, MemoryState, make_memory


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


class Decision(NamedTuple):
    """What the agent makes of a glimpse.

    Attributes:
        answer: (N, K) logits over the answers, or of the bits of one.
        location: (N, D) mean of the next location; unclipped, the environment clips it. Empty without a gaze.
        features: (N, F), what both rest on.
        unit: of saccades, in the unit of a location: 1, or (N, 1) the width of a line. The policy's deviation is in it.
        state: to be passed to the next call.
        drawn: (N, …), what of a map drew the gaze; empty without one.
    """

    answer: Tensor
    location: Tensor
    features: Tensor
    unit: Tensor | float
    state: AgentState
    drawn: Tensor


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
        ValueError: for a memory without a core that remembers nothing, and for a map of what is no hidden story, or
            that the memory cannot hold.
        KeyError: for an unknown memory.
    """

    def __init__(self, form: Form, config: AgentConfig) -> None:
        super().__init__()
        if config.core == "none" and config.memory == "none":
            raise ValueError('core="none" and memory="none" would remember nothing: choose one of them')
        if config.imagine and (form.kind, config.core, config.saccades) != ("story", "none", "relative"):
            raise ValueError('imagine is for hidden stories, with core="none" and relative saccades')
        if config.imagine < 0:
            raise ValueError(f"imagine must be at least 0, got {config.imagine}")
        self.form, self.config = form, config
        self.sense, seen = make_sense(form, config)
        recurrent = config.core != "none"
        self.memory = make_memory(
            config.memory, config.width if recurrent else seen, **parse_options(config.memory_options)
        )
        if config.imagine and not (isinstance(self.memory, Episodic) and self.memory.slots > config.imagine):
            raise ValueError(
                f"imagine={config.imagine} needs memory episodic with slots={config.imagine + 1} or more: "
                "for the lines and the question"
            )
        read = self.memory.read_size
        self.core = CORES[config.core](seen + read, config.width) if recurrent else None
        features = config.width + read if recurrent else read
        self.answer = nn.Linear(features, form.answers)
        self.gaze: nn.Module | None = None
        self.baseline: Baseline | None = None
        if form.motion:
            values = form.periphery() + (3 * NEAR if config.imagine else 0)
            # On an image, stay; in a story, go back a line at a time; where it is imagined, to what matters most.
            first = -1.0 if form.kind == "story" and not config.imagine and config.saccades == "relative" else 0.0
            self.gaze = (
                WhereStream(values, features, config.where_stream, form.motion, first)
                if config.where_stream
                else LocationHead(features, form.motion)
            )
            self.baseline = Baseline(features, form.answers, privileged=config.privileged_baseline, motion=form.motion)

    def initial_state(self, batch: int) -> AgentState:
        """The state before the first glimpse of `batch` episodes."""
        like = self.answer.weight
        size = self.core.state_size if self.core else 0
        state = (self.sense if isinstance(self.sense, StoryMap) else self.memory).initial_state(batch)
        return AgentState(like.new_zeros(batch, size), like.new_zeros(batch, self.memory.read_size), state)

    def forward(self, observation: dict[str, Tensor], state: AgentState) -> Decision:
        """One step.

        Args:
            observation: of the form the agent was made for, batch first.
            state: from `initial_state`, or the last decision's.
        """
        features, drawn, state = self.perceive(observation, state)
        location, unit = self.look(observation, features, drawn)
        return Decision(self.answer(features), location, features, unit, state, drawn)

    def perceive(self, observation: dict[str, Tensor], state: AgentState) -> tuple[Tensor, Tensor, AgentState]:
        """The features (N, F) that answer and gaze rest on, what of a map draws the gaze (N, …), and the next state."""
        if isinstance(self.sense, StoryMap):
            seen = self.sense.look(observation, state.memory)
            features, drawn = self._ponder(self.sense(seen), seen)
            return features, drawn, AgentState(state.core, state.read, seen)
        features, state = self.remember(self.sense(observation), state)
        return features, features[:, :0].detach(), state

    def _read(self, story: Tensor) -> Tensor:
        """What an imagined story (T, N, width), its question last, recalls: (N, F)."""
        last = torch.full((1, story.shape[1]), len(story) - 1, device=story.device)
        return self.memory.read_episodes(story, last)[0]

    def _ponder(self, imagined: Imagined, state: MemoryState) -> tuple[Tensor, Tensor]:
        """What an imagined story recalls (N, F), and what of it draws the gaze (N, 1 + …).

        First of that are the lines to go, to the line that matters most: where knowing what it says would move the
        answer furthest. Several answers are moved apart at once, each by its probability, in turn up and down.
        """
        with torch.inference_mode(False), torch.enable_grad():
            story = imagined.story.detach().clone().requires_grad_()
            features = self._read(story)
            logits = self.answer(features)
            chance, rank = logits.detach().softmax(-1).sort(dim=-1, descending=True)
            sign = 1 - 2.0 * (torch.arange(chance.shape[1], device=chance.device) % 2)
            (slope,) = torch.autograd.grad((logits.gather(1, rank) * chance.sqrt() * sign).sum(), story)
        with torch.no_grad():
            matters = imagined.stakes(slope).argmax(-1)
        step = (state["after"][:, -1] - matters).to(features.dtype)
        return features.detach(), torch.cat([step[:, None], imagined.near], -1)

    def weights(self, state: AgentState) -> dict[str, Tensor]:
        """What the memory did in the last step, see `Memory.weights`; of a map "read" alone, (N, hops, lines + 1)."""
        if not isinstance(self.sense, StoryMap):
            return self.memory.weights(state.memory)
        story = self.sense(state.memory).story
        _, read = self.memory.unroll(story, self.memory.initial_state(story.shape[1]))
        return {"read": self.memory.weights(read)["read"]}

    def look(self, observation: dict[str, Tensor], features: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor | float]:
        """Where to look next: the mean, and its unit, as in `Decision`.

        Args:
            observation: the present one.
            features: (N, F).
            drawn: (N, 1 + …), the step to what matters in a map, and what is near there; (N, 0) without one.
        """
        if self.gaze is None:
            return features.new_zeros(features.shape[0], 0), 1.0
        assert isinstance(self.sense, (GlimpseSense, PartsSense, Hidden))
        here, unit = observation["location"], self.sense.unit(observation)
        step = self.gaze(torch.cat([self.sense.periphery(observation), drawn[:, 1:]], -1), here, features)
        if self.config.imagine:
            step = step + drawn[:, :1]
        relative = self.config.saccades == "relative" and self.form.kind != "parts"
        return here + unit * step if relative else step, unit

    def review(self, observations: dict[str, Tensor]) -> list[Decision]:
        """The decisions of whole episodes, observations (T, N, …), all at once: for agents without a core.

        The same numbers as step by step, with a gradient that costs far less.
        """
        steps, n = observations["location"].shape[:2]
        flat = {key: value.flatten(0, 1) for key, value in observations.items()}
        features = self.memory.read_episodes(self.sense(flat).unflatten(0, (steps, n))).flatten(0, 1)
        location, unit = self.look(flat, features, features[:, :0].detach())
        units = [unit] * steps if isinstance(unit, float) else unit.unflatten(0, (steps, n))
        answer = self.answer(features).unflatten(0, (steps, n))
        location, features = location.unflatten(0, (steps, n)), features.unflatten(0, (steps, n))
        nothing = self.initial_state(0)
        none = features[:, :, :0]
        return [Decision(answer[t], location[t], features[t], units[t], nothing, none[t]) for t in range(steps)]

    def reconsider(self, observations: dict[str, Tensor], decisions: list[Decision]) -> list[Decision]:
        """Decisions that were made without gradient, with it: for agents that imagine.

        The last answer rests on all that was seen, and the gaze on features that are detached anyway and kept as they
        were. So the story is imagined and read with gradient once, at the end.

        Args:
            observations: (T, N, …), of whole episodes.
            decisions: on each; none, where the places were given, makes earlier answers of zeros.
        """
        assert isinstance(self.sense, StoryMap)
        steps, n = observations["location"].shape[:2]
        state = self.sense.initial_state(n)
        for step in range(steps):
            state = self.sense.look({key: value[step] for key, value in observations.items()}, state)
        last = {key: value[-1] for key, value in observations.items()}
        features = self._read(self.sense(state).story)
        none = features[:, :0]
        end = Decision(self.answer(features), last["location"], features, 1.0, self.initial_state(0), none)
        if not decisions:
            return [end._replace(answer=torch.zeros_like(end.answer))] * (steps - 1) + [end]
        if steps == 1:
            return [end]
        early = decisions[:-1]
        flat = {key: value[:-1].flatten(0, 1) for key, value in observations.items()}
        known, around = (torch.cat([getattr(one, name) for one in early]) for name in ("features", "drawn"))
        means = self.look(flat, known, around)[0].unflatten(0, (steps - 1, n))
        return [one._replace(location=mean) for one, mean in zip(early, means, strict=True)] + [end]

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
    if config.imagine:
        args = (form.vocabulary, words, scales, form.longest, config.width, config.encoder, config.imagine)
        return StoryMap(*args), config.width
    return StorySense(form.vocabulary, words, scales, form.longest, config.width, config.encoder), config.width
