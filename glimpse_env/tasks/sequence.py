"""What the tasks of pure recall share: an episode is composed when it begins, and scored step by step."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import numpy as np

from glimpse_env.rng import Array, integers
from glimpse_env.tasks.base import Task
from glimpse_env.tasks.records import Outcome, State, Whole

BITS_STREAM = 0
"""The random stream of what is shown."""

LENGTH_STREAM = 1
"""The random stream of how long an episode is: `Task.lengths` needs no other."""


class Script(NamedTuple):
    """Whole episodes, T = horizon steps and one column more for what follows the end.

    Attributes:
        shown: (N, T + 1, …), the observation before each step; zero from an episode's end on.
        target: (N, T + 1) int64 classes or (N, T + 1, bits) int8, the right answer of each step; zero where none counts.
        scored: (N, T + 1) bool, the steps whose answers count: at least one, none after the end.
        steps: (N,) int64, the number of steps of each episode.
        info: (N,) arrays, what `reset` returns beside the observation: `info_keys` of the task.
    """

    shown: Array
    target: Array
    scored: Array
    steps: Array
    info: dict[str, Array]


class SequenceTask(Task):
    """A task whose observations do not depend on the actions; every scored step has a right answer of its own.

    A subclass writes the `script` of its episodes and has one observation and one action, `answer`. An episode's
    rewards add up to the share of right answers (of bits, where an answer is several). The info of each step has
    `target`, (N, …) as the action; `scored` (N,) bool, whether the answer counted; and `correct` (N,) bool, whether
    it counted and was right, or at the last step whether the whole episode was.
    """

    interactive = False
    render_modes = ("ansi",)
    info_keys: tuple[str, ...] = ()

    @abstractmethod
    def script(self, seeds: Array, episodes: Array) -> Script:
        """The whole episodes (seed, episode number), both (N,) int64."""

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp, script = self.backend.xp, self.script(seeds, episodes)
        return {
            "shown": script.shown,
            "target": script.target,
            "scored": script.scored,
            "steps": script.steps,
            "parts": self._parts(script),
            "answers": xp.zeros_like(script.target),
            "time": xp.zeros_like(script.steps),
            "perfect": xp.ones_like(script.steps, dtype=xp.bool),
            **script.info,
        }

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        (key,) = self.observation_space
        return {key: state["shown"][self._now(state)]}

    def due(self, state: State) -> tuple[Array, Array]:
        """The right answer to the present observation, (N,) or (N, bits), and whether it counts, (N,) bool."""
        now = self._now(state)
        return state["target"][now], state["scored"][now]

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        xp, answer = self.backend.xp, action["answer"]
        target, scored = self.due(state)
        state["answers"][self._now(state)] = answer
        hits = xp.reshape(answer == target, (answer.shape[0], -1))
        right = xp.all(hits, axis=1)
        time, perfect = state["time"] + 1, state["perfect"] & (right | ~scored)
        terminated = time >= state["steps"]
        reward = xp.astype(xp.sum(hits, axis=1) * scored, xp.float32) / state["parts"]
        info = {"target": target, "scored": scored, "correct": xp.where(terminated, perfect, right & scored)}
        return Outcome({**state, "time": time, "perfect": perfect}, reward, terminated, info)

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {key: self.backend.copy(state[key]) for key in self.info_keys}

    def whole(self, seeds: Array, episodes: Array, steps: int) -> Whole:  # noqa: D102
        xp, script = self.backend.xp, self.script(seeds, episodes)
        self.check_steps(steps, script.steps)
        (key,) = self.observation_space
        scored = script.scored[:, :steps]
        worth = xp.astype(scored, xp.float32) / self._parts(script)[:, None]
        shown, target = script.shown[:, :steps], script.target[:, :steps]
        return Whole({key: shown}, target, scored, worth, script.steps, script.info)

    def render(self, state: State, row: int, mode: str) -> str:
        """A line for each step so far: the observation, and where it counts the answer and the target."""
        shown, target, scored, answers, time, steps = (
            self.backend.to_numpy(state[key][row]) for key in ("shown", "target", "scored", "answers", "time", "steps")
        )
        table = [["step", "shown", "answer", "target", ""]]
        for step in range(min(int(time) + 1, int(steps))):
            line = [str(step + 1), self.show(shown[step]), "", "", ""]
            if scored[step] and step < time:
                right = np.array_equal(answers[step], target[step])
                line[2:] = [self.show(answers[step]), self.show(target[step]), "right" if right else "wrong"]
            table.append(line)
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in table)

    def show(self, value: np.ndarray) -> str:
        """One observation or answer as text: bits as ▁ and █."""
        return "".join("█" if bit else "▁" for bit in value)

    def _parts(self, script: Script) -> Array:
        """How many bits or classes of each episode count, (N,) float32."""
        xp = self.backend.xp
        parts = int(np.prod(self.action_space["answer"].shape or (), dtype=np.int64))
        return xp.astype(xp.sum(script.scored, axis=1) * parts, xp.float32)

    def _now(self, state: State) -> tuple[Array, Array]:
        """The index of the present step in the arrays of the script; of the last column after the horizon."""
        time = state["time"]
        return self.backend.rows(time.shape[0]), self.backend.clip(time, 0, self.horizon)


def between(words: Array, low: int, high: int) -> Array:
    """Words mapped to integers from `low` to `high`, both included."""
    return low + integers(words, high - low + 1)
