"""What the tasks have in common that show one canvas after another, each through a few glimpses."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.path_metrics import coverage, off_image
from glimpse_env.render import draw_gaze
from glimpse_env.rng import Array
from glimpse_env.tasks.delays import Delays
from glimpse_env.tasks.glimpsing import GlimpseTask
from glimpse_env.tasks.records import Outcome, Schedule, State


class Walk(GlimpseTask):
    """A task that shows one canvas after another, each through a few glimpses, and asks one or more questions.

    A subclass calls `walk` once it knows its canvases, and defines `compose` and `present`; `parts` shows more than
    glimpses, and `heard` may change the state by what was answered. The first fixation on each canvas is its centre. An episode's rewards add up to the share of right answers.
    `info` has at every step `target`, the answer that is due or will be next, `scored` (whether the answer of this step
    counts) and `correct` (whether it counts and is right; at the last step, whether all of the episode were).

    Attributes:
        schedule: of the longest episode.
        delays: whose lengths differ from episode to episode; None where all follow the schedule.
    """

    schedule: Schedule
    delays: Delays | None

    def __init__(
        self,
        backend: Backend,
        *,
        patch: int | tuple[int, int] = 12,
        scales: int = 3,
        saccades: Literal["absolute", "relative"] = "absolute",
    ) -> None:
        super().__init__(backend, patch=patch, scales=scales, saccades=saccades)
        self.gazes = ("random", "centre") if saccades == "absolute" else ()

    def walk(
        self,
        channels: int,
        size: tuple[int, int],
        schedule: Schedule,
        parts: dict[str, tuple[str, spaces.Space]],
        answer: spaces.Space,
        role: str = "class",
        cells: Any = None,
        delays: Delays | None = None,
    ) -> None:
        """Set the schedule, the spaces and the roles.

        Args:
            channels: of a canvas.
            size: (height, width) of a canvas.
            schedule: of an episode.
            parts: role and space of each part of the observation beside the glimpse, the place and the clock.
            answer: the space of an answer.
            role: the role of an answer.
            cells: the argument `overview`, as `checked_overview` takes it.
            delays: that the schedule has.

        Raises:
            ValueError: for a canvas that is too large for a table, or an overview that does not suit it.
        """
        self.see(channels, size, parts, answer, role, cells)
        varied = delays is not None and len(delays.lengths) > 1 and bool((delays.number >= 0).any())
        self.delays = delays if varied else None
        self.schedule = schedule
        self.count_time(len(schedule.shown))
        self.max_answers = int(schedule.scored.sum())
        begins = np.append(np.append(False, np.diff(schedule.shown) > 0), False)
        # One row more, for what follows the last step: there the last canvas stays, and nothing counts.
        self.shown, self.asked = (self.backend.asarray(np.append(column, column[-1])) for column in schedule[:2])
        self.scored, self.begins = map(self.backend.asarray, (np.append(schedule.scored, False), begins))

    @abstractmethod
    def compose(self, seeds: Array, episodes: Array) -> State:
        """What these episodes (N,) show and ask: `target` (N, Q), and what `present` and `parts` need."""

    @abstractmethod
    def present(self, state: State) -> Array:
        """The canvases that are shown now, (N, C, H, W) uint8."""

    def parts(self, state: State) -> dict[str, Array]:
        """Further parts of the observation, (N, …) each."""
        return {}

    def told(self, state: State) -> dict[str, Array]:
        """Further entries of `info`, (N, …) each."""
        return {}

    def heard(self, state: State, answer: Array, right: Array) -> State:
        """The state after these answers (N,), of which those that count and are right are (N,) bool."""
        return state

    def now(self, state: State) -> Array:
        """(N,) int64, the present step of the schedule; that after the last where an episode is over."""
        if "plan" not in state:
            return state["time"]
        return state["plan"][self.backend.rows(state["time"].shape[0]), state["time"]]

    def plan(self, seeds: Array, episodes: Array) -> Array:
        """(N, T + 1) int64, the step of the schedule at each step of these episodes (N,); T from their end on."""
        if self.delays is not None:
            return self.delays.positions(seeds, episodes, self.backend)
        return self.backend.xp.tile(self.backend.rows(self.horizon + 1)[None], (seeds.shape[0], 1))

    def lengths(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        if self.delays is None:
            return super().lengths(seeds, episodes)
        taken = self.plan(seeds, episodes) < self.horizon
        return self.backend.xp.sum(self.backend.xp.astype(taken, self.backend.xp.int64), axis=1)

    def schedule_of(self, seed: int, episode: int) -> Schedule:  # noqa: D102
        if self.delays is None:
            return self.schedule
        numbers = (self.backend.asarray([number], "int64") for number in (seed, episode))
        plan = self.backend.to_numpy(self.plan(*numbers))[0]
        return Schedule(*(column[plan[plan < self.horizon]] for column in self.schedule))

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp, n = self.backend.xp, seeds.shape[0]
        state = {
            "seed": self.backend.copy(seeds),
            "episode": self.backend.copy(episodes),
            **self.compose(seeds, episodes),
            "time": xp.zeros_like(episodes),
            "perfect": xp.ones_like(episodes, dtype=xp.bool),
            "location": xp.zeros((n, 2), dtype=xp.float32, device=self.backend.device),
            "path": xp.zeros((n, self.horizon + 1, 2), dtype=xp.float32, device=self.backend.device),
        }
        if self.delays is not None:
            state["plan"] = self.plan(seeds, episodes)
        return {**state, **self.presented(self.present(state))}

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        return self.observation(state, self.parts(state))

    def due(self, state: State) -> tuple[Array, Array]:
        """The answer that is due or will be next, (N,) int64, and whether the present answer counts, (N,) bool."""
        now = self.now(state)
        return state["target"][self.backend.rows(now.shape[0]), self.asked[now]], self.scored[now]

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        xp, (target, scored) = self.backend.xp, self.due(state)
        right = action["answer"] == target
        time = self.backend.clip(state["time"] + 1, 0, self.horizon)  # rows that are over wait for their reset
        told = {"target": target, **self.told(state), "scored": scored}
        state = self.heard({**state, "time": time}, action["answer"], right & scored)
        now = self.now(state)
        terminated = now >= self.horizon
        perfect = state["perfect"] & (right | ~scored)
        location = xp.where(self.begins[now][:, None], 0.0, self.fixated(state, action))
        location = xp.where(terminated[:, None], state["location"], location)
        state["path"][self.backend.rows(time.shape[0]), time] = location
        state = {**state, "location": location, "perfect": perfect}
        if not self.backend.on_host or bool(xp.any(self.begins[now])):
            state = {**state, **self.presented(self.present(state))}
        reward = xp.astype(right & scored, xp.float32) / xp.full_like(location[:, 0], self.max_answers)
        correct = xp.where(terminated, perfect, right & scored)
        return Outcome(state, reward, terminated, {**told, "correct": correct})

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {"target": self.due(state)[0], **self.told(state)}

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The centre of each canvas at every glimpse, which an oracle of a subclass changes."""
        xp = self.backend.xp
        return xp.zeros((seeds.shape[0], self.horizon - 1, 2), dtype=xp.float32, device=self.backend.device)

    def staying(self, path: Array, plan: Array) -> Array:
        """The path (N, T - 1, 2) of an oracle, in which each place that another canvas makes idle is the one before it.

        Args:
            path: (N, T - 1, 2).
            plan: (N or 1, T - 1) int64, the step of the schedule that each of these places is for.
        """
        xp = self.backend.xp
        before = xp.concat([xp.zeros_like(path[:, :1]), path[:, :-1]], axis=1)
        return xp.where(self.begins[plan][..., None], before, path)

    def walk_canvases(self, seed: int, episode: int) -> list[np.ndarray]:  # noqa: D102
        state = self.begin(*(self.backend.asarray([number], "int64") for number in (seed, episode)))
        state.pop("plan", None)  # so that time is a step of the schedule, and all canvases are there
        steps = np.unique(self.schedule.shown, return_index=True)[1]
        shown = [self.present({**state, "time": self.backend.asarray([step], "int64")})[0] for step in steps.tolist()]
        return [self.backend.to_numpy(canvas).transpose(1, 2, 0) for canvas in shown]

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """Saccades and entropy, coverage, fixations off the canvas."""
        covered = coverage(path, self.canvas_size, self.retina)
        own = {"attention/coverage": covered, "attention/off_image": off_image(path)}
        return {**super().path_metrics(path, seeds, episodes), **own}

    def render(self, state: State, row: int, mode: str) -> np.ndarray:
        """The present canvas with the gaze upon it."""
        alone = {key: value[row : row + 1] for key, value in state.items()}
        shown = self.schedule_of(int(alone["seed"][0]), int(alone["episode"][0])).shown
        time = min(int(alone["time"][0]), len(shown) - 1)
        first = int(np.flatnonzero(shown == shown[time])[0])
        canvas = self.backend.to_numpy(self.present(alone)[0]).transpose(1, 2, 0)
        return draw_gaze(canvas, self.backend.to_numpy(alone["path"][0])[first : time + 1], self.retina)
