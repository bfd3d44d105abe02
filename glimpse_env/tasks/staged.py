"""What the tasks have in common that show one thing, wait, and show another or ask: which stage it is, and delays."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from gymnasium import spaces

from glimpse_env.rng import Array
from glimpse_env.tasks.delays import Delays
from glimpse_env.tasks.records import Schedule, State
from glimpse_env.tasks.walk import Walk


class StagedWalk(Walk):
    """A walk in stages, each a canvas of its own. Two of them are looked at; the answer of the last step counts.

    A subclass sets `full`, calls `in_stages`, and defines `looked_at`.

    Attributes:
        full: whether this is the twin, which sees both at once, in the last stage.
    """

    full: bool

    def in_stages(
        self,
        channels: int,
        side: int,
        steps: tuple[int, ...],
        kinds: tuple[int, ...],
        delays: tuple[int, ...],
        lengths: tuple[int, ...],
        seen: tuple[int, int],
    ) -> None:
        """Set the schedule, the spaces and the roles.

        Args:
            channels: of a canvas.
            side: of a canvas; the twin's is twice as wide.
            steps: of each stage.
            kinds: what the observation `stage` says of each stage, a number from 0.
            delays: the number of the delay that each stage is; -1 for none.
            lengths: steps that a delay may last.
            seen: the two stages that are looked at.
        """
        named = np.eye(max(kinds) + 1)[list(kinds)]
        stage = np.array([len(steps) - 1]) if self.full else np.repeat(np.arange(len(steps)), steps)
        self.first, self.seen = int(stage[0]), seen
        self.kinds = self.backend.asarray(named, "float32")
        last = np.arange(len(stage)) == len(stage) - 1
        self.walk(
            channels,
            (side, 2 * side if self.full else side),
            Schedule(stage - self.first, np.zeros_like(stage), last),
            {"stage": ("values", spaces.Box(0, 1, named.shape[1:], np.float32))},
            spaces.Discrete(len(self.answer_names)),
            delays=Delays(np.array(delays)[stage], lengths),
        )

    @abstractmethod
    def looked_at(self, state: State) -> tuple[Array, Array]:
        """The two canvases that are looked at, (N, C, side, side) uint8 each."""

    def present(self, state: State) -> Array:  # noqa: D102
        first, second = self.looked_at(state)
        if self.full:
            return self.backend.xp.concat([first, second], axis=3)
        stage = self.stage(state)[:, None, None, None]
        return first * (stage == self.seen[0]) + second * (stage == self.seen[1])

    def stage(self, state: State) -> Array:
        """(N,) int64, the number of the present stage."""
        return self.shown[self.now(state)] + self.first

    def parts(self, state: State) -> dict[str, Array]:
        """What kind of stage it is."""
        return {"stage": self.kinds[self.stage(state)]}

    def supports(self, seeds: Array, episodes: Array) -> Array:
        """(N, 1, canvases) bool: what is looked at."""
        shown = self.backend.rows(int(self.schedule.shown[-1]) + 1) + self.first
        rests_on = (shown == self.seen[0]) | (shown == self.seen[1]) | self.full
        return self.backend.xp.tile(rests_on[None, None], (seeds.shape[0], 1, 1))

    def canvas(self, seed: int, episode: int) -> np.ndarray:
        """The second canvas that is looked at, (H, W, C) uint8; in the twin all that is seen."""
        state = self.compose(*(self.backend.asarray([number], "int64") for number in (seed, episode)))
        seen = self.present(state) if self.full else self.looked_at(state)[1]
        return self.backend.to_numpy(seen[0]).transpose(1, 2, 0)
