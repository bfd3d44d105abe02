"""Coloured squares, a delay, and the squares again: has one changed its colour?"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Literal

import numpy as np

from glimpse_env.backend import Backend
from glimpse_env.rng import Array, arrangement, draw_words, integers
from glimpse_env.tasks.arguments import check_choice, check_counts
from glimpse_env.tasks.delays import checked_delays
from glimpse_env.tasks.records import State
from glimpse_env.tasks.staged import StagedWalk

COLOURS = {
    "train": (
        *((255, 0, 0), (0, 200, 0), (0, 0, 255), (255, 255, 0)),
        *((0, 255, 255), (255, 0, 255), (128, 128, 128), (128, 64, 0)),
    ),
    "held-out": ((255, 128, 0), (128, 0, 255), (0, 128, 128), (255, 150, 180), (170, 200, 0), (90, 90, 200)),
}
"""The colours of the squares; those held out are met in no training."""
GRID = 3
"""Cells that squares may lie in, down and across."""
CLOCKWISE = (1, 2, 5, 8, 7, 6, 3, 0, 4)
"""The cells around the middle one, from the north on, and that one last."""
MOST = 4
"""Squares of an episode."""
ANSWERS = ("same", "changed")
STUDY, DELAY, TEST = range(3)
"""The canvases of an episode."""


class ChangeDetection(StagedWalk):
    """Coloured squares, a delay, and the squares again: has one changed its colour?

    ## Description
    One to four squares of different colours lie in cells of a 3×3 grid. They are looked at, then nothing is shown for a
    while, and then they are there again; in half of the episodes one of them has a colour that none had before. What is
    asked is whether one has changed. After the task of Luck & Vogel 1997 ("The capacity of visual working memory for
    features and conjunctions") as Psychlab has it (Leibo et al. 2018), seen through glimpses: there the delays of a
    training are 2, 4, 8, 64 and 128, and those held out 16, 32, 130, 150, 200 and 250.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; clipped to the canvas. With `saccades="relative"`, a step from the present fixation. Without effect where another canvas follows: its first fixation is the centre |
    | `answer` | `Discrete(2)` | same, changed; only that of the last step counts |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, 3, height, width), float32)` | the retina's patches, finest first; zero outside the canvas and in the delay |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `stage` | `Box(0, 1, (3,), float32)` | one of: the squares, the delay, the squares again |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the longest episode |

    ## Rewards
    1 at the end for a right answer, else 0. `info` has at every step `target`, `squares` (how many there are, minus
    one), `scored`, `correct`, and at the end `is_success`.

    ## Starting State
    A pure function of (seed, episode number). Numbers of squares, their cells and colours, and delays are uniform.

    ## Episode End
    `terminated` after 2 num_glimpses + delay steps. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `delay` | 4 | steps between; of several numbers each episode draws one |
    | `squares` | (1, 2, 3, 4) | how many there are; of several numbers each episode draws one |
    | `num_glimpses` | 5 | glimpses before, and after |
    | `colours` | `"train"` | eight, or `"held-out"`, six others |
    | `whole` | `False` | the twin that sees both at once, side by side, pixel by pixel, in one glimpse; `patch` and `scales` are then its own |
    | `cell` | 20 | width of a cell of the grid; a square is 0.6 of it wide |
    | `patch`, `scales` | 12, 3 | of the retina |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the present canvas and the gaze upon it |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=256)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    answer_names = ANSWERS
    group_key = "squares"
    group_names = ("1 square", *(f"{count} squares" for count in range(2, MOST + 1)))

    def __init__(
        self,
        backend: Backend,
        *,
        delay: int | Sequence[int] = 4,
        squares: int | Sequence[int] = (1, 2, 3, 4),
        num_glimpses: int = 5,
        colours: Literal["train", "held-out"] = "train",
        whole: bool = False,
        cell: int = 20,
        patch: int | tuple[int, int] = 12,
        scales: int = 3,
        saccades: Literal["absolute", "relative"] = "absolute",
    ) -> None:
        check_counts(num_glimpses=num_glimpses)
        check_counts(5, cell=cell)
        check_choice("colours", colours, tuple(COLOURS))
        counts = (squares,) if isinstance(squares, Integral) else squares
        if not isinstance(counts, tuple | list) or not counts or not set(counts) <= set(range(1, MOST + 1)):
            raise ValueError(f"squares is a number from 1 to {MOST}, or several to draw from, got {squares!r}")
        lengths, size = checked_delays(delay, 1), GRID * int(cell)
        if whole:
            patch, scales = (size, 2 * size), 1
        super().__init__(backend, patch=patch, scales=scales, saccades=saccades)
        self.cell, self.side, self.full = int(cell), round(0.6 * cell), bool(whole)
        self.counts = backend.asarray(counts, "int64")
        self.colours = backend.asarray(np.array([(0, 0, 0), *COLOURS[colours]], np.uint8))
        self.gazes = (*self.gazes, "oracle") if self.gazes else ()
        steps = (num_glimpses, max(lengths), num_glimpses)
        self.in_stages(3, size, steps, (STUDY, DELAY, TEST), (-1, 0, -1), lengths, (STUDY, TEST))

    def compose(self, seeds: Array, episodes: Array) -> State:
        """`place` (N, 4, 2) int64, the top left corners of the squares, y and x; `before` and `after` (N, 4) int64,
        the numbers of their colours, 0 for a square that is not there."""
        xp, colours = self.backend.xp, len(self.colours) - 1
        words = draw_words(seeds, episodes, 3 + 4 * MOST + 1)
        count = self.counts[integers(words[:, 0], len(self.counts))]
        target, changed = integers(words[:, 1:2], 2), integers(words[:, 2], count)
        cell = arrangement(words[:, 3 : 3 + MOST], GRID**2)
        colour = arrangement(words[:, 3 + MOST : 4 + 2 * MOST], colours) + 1  # the last is that of a change
        jitter = integers(words[:, 4 + 2 * MOST :], self.cell - self.side)
        corner = xp.stack([cell // GRID, cell % GRID], axis=-1) * self.cell
        place = corner + xp.reshape(jitter, (-1, MOST, 2))
        there = self.backend.rows(MOST) < count[:, None]
        before = xp.where(there, colour[:, :MOST], 0)
        differs = (self.backend.rows(MOST) == changed[:, None]) & (target == 1)
        after = xp.where(differs, colour[:, MOST:], before)
        return {"place": place, "before": before, "after": after, "target": target}

    def looked_at(self, state: State) -> tuple[Array, Array]:
        """The squares before, and after."""
        return self._painted(state["place"], state["before"]), self._painted(state["place"], state["after"])

    def _painted(self, place: Array, colour: Array) -> Array:
        """(N, 3, H, W) uint8 of the squares at these places in these colours, of which 0 is black."""
        xp, n = self.backend.xp, place.shape[0]
        size, side = GRID * self.cell, self.backend.rows(self.side)
        canvas = xp.zeros((n, size * size, 3), dtype=xp.uint8, device=self.backend.device)
        rows = self.backend.rows(n)[:, None]
        for number in range(MOST):
            top, left = (place[:, number, part, None, None] for part in (0, 1))
            pixels = xp.reshape((top + side[:, None]) * size + left + side, (n, -1))
            canvas[rows, pixels] = self.colours[colour[:, number]][:, None]
        return xp.reshape(xp.permute_dims(canvas, (0, 2, 1)), (n, 3, size, size))

    def told(self, state: State) -> dict[str, Array]:
        """The number of squares, minus one."""
        return {"squares": self._count(state)[:, 0] - 1}

    def _count(self, state: State) -> Array:
        """(N, 1) int64, the number of squares."""
        there = self.backend.xp.astype(state["before"] > 0, self.backend.xp.int64)
        return self.backend.xp.sum(there, axis=1, keepdims=True)

    def groups(self, seeds: Array, episodes: Array) -> Array:
        """The number of squares, minus one, (N,) int64."""
        return self.told(self.compose(seeds, episodes))["squares"]

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "oracle": the squares clockwise, before and after, so that the next depends on the present one alone."""
        path, xp = super().scripted(name, seeds, episodes), self.backend.xp
        if self.full:
            return path
        made = self.compose(seeds, episodes)
        plan = self.plan(seeds, episodes)[:, 1 : self.horizon]
        again = int(np.flatnonzero(self.schedule.shown == TEST)[0])
        turn = (xp.where(plan < again, plan, plan - again) - 1) % self._count(made)
        number = xp.take_along_axis(self._clockwise(made), turn, axis=1)
        middle = (xp.astype(xp.flip(made["place"], axis=2), xp.float32) + self.side / 2) * (2 / GRID / self.cell) - 1
        seen = xp.take_along_axis(middle, xp.tile(number[..., None], (1, 1, 2)), axis=1)
        return self.staying(xp.where((self.shown[plan] == DELAY)[..., None], path, seen), plan)

    def _clockwise(self, state: State) -> Array:
        """(N, 4) int64, the numbers of the squares in the order of `CLOCKWISE`; those that are not there come last."""
        xp, cell = self.backend.xp, state["place"] // self.cell
        rank = self.backend.asarray(np.argsort(CLOCKWISE))[cell[..., 0] * GRID + cell[..., 1]]
        return xp.argsort(xp.where(state["before"] > 0, rank, len(CLOCKWISE)), axis=1, stable=True)
