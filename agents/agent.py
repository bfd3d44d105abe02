"""The attention agent: it sees, remembers, recalls, answers, and chooses where to look next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from agents.baseline import Baseline
from agents.config import AgentConfig
from agents.core import CORES
from agents.encoders import Encoders
from agents.heads import AnswerHead, Survey, View, ViewSize, make_heads
from agents.nearest import nearest, refusing_arguments
from agents.options import parse_options
from agents.spec import EnvSpec, Observation, PartSpec
from agents.trajectory import at_steps
from memory import MEMORIES, Memory, MemoryState, Watch, compile_memory, make_memory
from memory.precision import full_precision

if TYPE_CHECKING:
    from agents.look import Look

OPTIONAL = ("time", "location")
"""Parts that many environments have: recipes for any of them may ignore these where they are not there."""


class AgentState(NamedTuple):
    """What the agent carries from step to step.

    Attributes:
        core: (N, state size) of the recurrent core.
        read: (N, read size), what the memory answered last.
        memory: the memory's own.
        survey: of the overview; None before the first observation, and for agents whose gaze uses none.
    """

    core: Tensor
    read: Tensor
    memory: MemoryState
    survey: Survey | None = None


class Decision(NamedTuple):
    """What the agent makes of an observation. B rows, or (Q, N) of them where whole episodes are evaluated.

    Attributes:
        params: (B, …) by part of the action, the parameters of its distribution.
        features: (B, F), what all of them rest on.
        unit: of places: 1, or (B, 1) the width of one of the cells that a place is among. A policy's deviation is in
            it.
        state: to be passed to the next call.
        kept: (B, …), what `evaluate_episodes` needs again.
    """

    params: dict[str, Tensor]
    features: Tensor
    unit: Tensor | float
    state: AgentState
    kept: dict[str, Tensor]


class AttentionAgent(nn.Module):
    """The recurrent attention model (Mnih et al. 2014) with a memory, and a head for every part of the action.

    What learns from what (`|` marks a detach):

        observation ─► encoders ─► core ⇄ memory ─► answer heads    cross-entropy, through the whole row
           │                           |
           └──► where-stream ◄─────────|                            REINFORCE alone, nothing flows back into the core
                                       |
                     baseline ◄────────|                            regression alone; the advantage is detached from it

    The core reads what is seen and what was recalled last, and the memory is written and queried by the core, as in the
    Neural Turing Machine (Graves et al. 2014, figure 1). With `core="none"` what is seen is written, and the query is
    the same or, with `asks`, made of other parts of the observation; what is recalled is all that the heads rest on.

    A core that has something for the gaze alone ("dram") is the exception: there the policy gradient flows into the
    core, and through it into the encoders, as in Ba et al. 2015.

    Args:
        spec: of the environment.
        config: the form of the network.

    Attributes:
        trained: what a weight file tells of its training, in plain types: the `recipe`, and the `names` of words and
            classes; {} of an agent that was made anew.

    Raises:
        ValueError: for a part of the observation without an encoder or of the action without a head, an unknown memory
            or one that does not take its options, or options that do not go together.
    """

    def __init__(self, spec: EnvSpec, config: AgentConfig) -> None:
        super().__init__()
        self.spec, self.config = spec, config
        self.trained: dict[str, Any] = {}
        for name in config.ignore:
            if name not in (*spec.observation, *OPTIONAL):
                raise ValueError(
                    f"`ignore`: the observation has no part {name!r}; it has {', '.join(spec.observation)}"
                )
        seen = spec.without((*config.ignore, *config.asks))
        self.encoders = self.make_encoders(spec) or Encoders(seen.observation, config)
        self.query_encoders = Encoders(spec.only(config.asks).observation, config) if config.asks else None
        recurrent = config.core != "none"
        if self.query_encoders is not None and (recurrent or self.query_encoders.width != self.encoders.width):
            raise ValueError('`asks` is for core="none" and parts of one width: a core queries the memory itself')
        self.memory = self._make_memory(config.width if recurrent else self.encoders.width)
        if config.compile:
            compile_memory(self.memory)
        read = self.memory.read_size
        self.core = CORES[config.core](self.encoders.width + read, config.width) if recurrent else None
        self.where_size = self.core.where_size if self.core else 0
        features = config.width + read if recurrent else read or self.encoders.width
        self.views = {name: self._view_size(name) for name in spec.action}
        self.heads = make_heads(spec.action, features, self.views, config)
        self.surveyor = next((name for name, head in self.heads.items() if head.surveys), None)
        place = max((size.place for size in self.views.values()), default=0)
        answer = self.answer_head()
        known = answer.target_size if answer and config.privileged_baseline else 0
        self.baseline = Baseline(features + self.where_size, place, known) if self.policy_parameters() else None

    def make_encoders(self, spec: EnvSpec) -> Encoders | None:
        """The hook by which a family of tasks brings encoders of its own; None for those of `ENCODERS`."""
        return None

    @property
    def at_once(self) -> bool:
        """Whether it acts without gradient first, and for a gradient evaluates whole episodes at once afterwards."""
        return self.core is None and self.memory.read_size > 0

    def initial_state(self, batch: int) -> AgentState:
        """The state before the first observation of `batch` episodes."""
        like = next(self.parameters())
        size = self.core.state_size if self.core else 0
        read = like.new_zeros(batch, self.memory.read_size)
        return AgentState(like.new_zeros(batch, size), read, self.memory.initial_state(batch))

    def forward(self, observation: Observation, state: AgentState) -> Decision:
        """One step.

        Args:
            observation: parts (N, …).
            state: from `initial_state`, or the last decision's.
        """
        seen = self.encoders(observation)
        query = seen if self.query_encoders is None else self.query_encoders(observation)
        features, state = self.remember(seen, query, state)
        return self.decide(observation, features, state._replace(survey=self.surveyed(observation, state.survey)))

    def remember(self, seen: Tensor, query: Tensor, state: AgentState) -> tuple[Tensor, AgentState]:
        """What is seen and asked (N, width) to the features (N, F) that all heads rest on, what is for the gaze alone
        last, and the next state."""
        if self.core is None:
            if not self.memory.read_size:
                return seen, state
            read, memory = self.memory(seen, query, state.memory)
            return read, state._replace(memory=memory)
        if not self.memory.read_size:
            output, core = self._recur(seen, state.core)
            return output, state._replace(core=core)
        output, core = self._recur(torch.cat([seen, state.read], dim=1), state.core)
        output = output.clamp(-self.config.core_limit, self.config.core_limit)
        what, where = output.split([self.config.width, self.where_size], dim=1)
        read, memory = self.memory(what, what, state.memory)
        return torch.cat([what, read, where], dim=1), state._replace(core=core, read=read, memory=memory)

    def surveyed(self, observation: Observation, before: Survey | None) -> Survey | None:
        """The survey once this observation is made; None for agents whose gaze uses none."""
        if self.surveyor is None:
            return None
        head, overview = self.heads[self.surveyor], self.spec.named("overview")
        assert overview is not None  # or the head would not have been made
        near = head.near(observation[self.surveyor])
        if before is None:
            return Survey(head.survey(observation[overview]), near)
        return before._replace(visited=before.visited.maximum(near))

    def _recur(self, input: Tensor, core: Tensor) -> tuple[Tensor, Tensor]:
        """The core's output and next state, both in the state's precision, which autocast leaves alone."""
        assert self.core is not None
        with full_precision(input.device):
            return self.core(input.to(core.dtype), core)

    def decide(
        self, observation: Observation, features: Tensor, state: AgentState, prior: Tensor | None = None
    ) -> Decision:
        """The decision that rests on these features.

        Args:
            observation: the present one, (B, …).
            features: (B, F).
            state: the next.
            prior: (B, D), a step that is added to the gaze's own.
        """
        unit, periphery, dtype = self._unit(observation), None, next(self.parameters()).dtype
        glimpse = observation.get(self.spec.named("glimpse") or "")
        features = features.to(dtype)  # of half precision under autocast
        what, where = features.split([features.shape[1] - self.where_size, self.where_size], dim=1)
        params = {}
        for name, head in self.heads.items():
            view = View()
            if head.uses_view:
                periphery = self.encoders.periphery(observation) if periphery is None else periphery
                here = observation.get(name) if self.views[name].place else None
                alone = where if self.where_size else None
                view = View(periphery, here, unit, prior, state.survey, glimpse, alone)
            params[name] = head(what, view).to(dtype)
        return Decision(params, features, unit, state, {})

    def evaluate_episodes(
        self, observations: Observation, steps: Tensor | None = None, kept: dict[str, Tensor] | None = None
    ) -> Decision:
        """The decisions of whole episodes whose observations are known: the same numbers as step by step.

        Args:
            observations: (T, N, …) by part.
            steps: (Q, N) int64, the steps whose decisions are wanted; None for all.
            kept: (T, N, …), of the decisions that were made without gradient; None where there were none.

        Returns:
            A decision of (Q, N, …), whose state is empty.
        """
        shape = next(iter(observations.values())).shape[:2]
        flat = {name: value.flatten(0, 1) for name, value in observations.items()}
        seen = self.encoders(flat).unflatten(0, shape)
        query = seen if self.query_encoders is None else self.query_encoders(flat).unflatten(0, shape)
        if self.core is None:
            features = self.memory.read_episodes(seen, query, steps) if self.memory.read_size else at_steps(seen, steps)
        else:
            each, state = [], self.initial_state(shape[1])
            for step, ask in zip(seen, query, strict=True):
                feature, state = self.remember(step, ask, state)
                each.append(feature)
            features = at_steps(torch.stack(each), steps)
        if any(head.uses_view for _, head in self.heads.items()):
            flat = {name: at_steps(value, steps).flatten(0, 1) for name, value in observations.items()}
        state = self.initial_state(0)._replace(survey=self._surveys(observations, steps))
        decision = self.decide(flat, features.flatten(0, 1), state)._replace(state=self.initial_state(0))
        return unflattened(decision, features.shape[:2])

    def expected_return(
        self, here: Tensor | None, features: Tensor, target: Tensor | None, log_likelihood: Tensor
    ) -> Tensor | None:
        """(B,) of the baseline; None without one.

        Args:
            here: (B, D), the part of the observation that `place_part` names; None without one.
            features: (B, F), detached there.
            target: (B, …), right answers; None where the environment tells none.
            log_likelihood: (B,) log p(target).
        """
        if self.baseline is None:
            return None
        answer = self.answer_head()
        known = answer.target_features(target) if answer and target is not None and self.baseline.target_size else None
        return self.baseline(features, here, known, log_likelihood)

    def place_part(self) -> str | None:
        """The part of the observation that shows the present place; None where nothing is looked at."""
        return next((name for name, size in self.views.items() if size.place), None)

    def watch(self, state: AgentState) -> Watch:
        """What the memory did in the last step, see `Memory.watch`."""
        return self.memory.watch(state.memory)

    def look(self, pictures: Any, *, seed: int = 0) -> Look | list[Look]:
        """Look at a picture, or at several: what it shows, and where this agent looked. See `agents.look.look`."""
        from agents.look import look  # which plays episodes, and so needs agents

        return look(self, pictures, seed=seed)

    def prepare(self, env: Any, seed: int) -> None:
        """What is to be done before a training from nothing; here nothing. `env` is its `BatchedEnv`."""

    def answer_head(self) -> AnswerHead | None:
        """The head that a target is for; None without an answer."""
        return self.heads.get("answer")

    def policy_parameters(self) -> list[nn.Parameter]:
        """The parameters that REINFORCE alone trains."""
        return [parameter for _, head in self.heads.items() if head.policy for parameter in head.parameters()]

    def _make_memory(self, input_size: int) -> Memory:
        name = self.config.memory
        if name not in MEMORIES:
            raise ValueError(
                f"there is no memory {name!r}{nearest(name, MEMORIES) or '; there are ' + ', '.join(MEMORIES)}"
            )
        with refusing_arguments(MEMORIES[name]):
            return make_memory(name, input_size, **parse_options(self.config.memory_options))

    def _view_size(self, name: str) -> ViewSize:
        """What the head of this part of the action sees beside the features."""
        part = self.spec.observation.get(name)
        place = part.values if part is not None and part.role == "place" else 0
        overview, glimpse = (self._named(role) for role in ("overview", "glimpse"))
        sizes = overview.shape, glimpse.shape, glimpse.cell
        return ViewSize(self.encoders.periphery_size, place, *sizes, self.where_size)

    def _named(self, role: str) -> PartSpec:
        """The first part of the observation that has this role; an empty one where there is none."""
        name = self.spec.named(role)
        return PartSpec(role, ()) if name is None else self.spec.observation[name]

    def _surveys(self, observations: Observation, steps: Tensor | None) -> Survey | None:
        """The surveys (Q N, …) at these steps of whole episodes (T, N, …), as `surveyed` makes them one by one."""
        survey, each = None, []
        for step in range(len(next(iter(observations.values()))) if self.surveyor else 0):
            survey = self.surveyed({name: value[step] for name, value in observations.items()}, survey)
            assert survey is not None
            each.append(survey.visited)
        if survey is None:
            return None
        visited = at_steps(torch.stack(each), steps)
        cells = survey.cells.expand(len(visited), *survey.cells.shape)
        return Survey(cells.flatten(0, 1), visited.flatten(0, 1))

    def _unit(self, observation: Observation) -> Tensor | float:
        """The width of one of the cells that a place is among, in [-1, 1]: 2 over their number; 1 where nothing
        counts them."""
        count = self.spec.named("count")
        return 1.0 if count is None else 2 / observation[count]


def unflattened(decision: Decision, shape: torch.Size | tuple[int, ...]) -> Decision:
    """A decision of Q N rows as one of (Q, N)."""
    return decision._replace(
        params={name: value.unflatten(0, shape) for name, value in decision.params.items()},
        features=decision.features.unflatten(0, shape),
        unit=decision.unit if isinstance(decision.unit, float) else decision.unit.unflatten(0, shape),
    )
