"""Read a row of digits, one after the other, and stop after the last."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.images import SPLITS, Split
from glimpse_env.rng import Array
from glimpse_env.row_scenes import Row, draw_clutter, draw_row, paint_clutter, paint_row, shrinking
from glimpse_env.tasks.arguments import check_choices, check_count, check_counts, checked_ends
from glimpse_env.tasks.glimpsing import pair
from glimpse_env.tasks.grey_squares import load_grey_squares
from glimpse_env.tasks.looking import Looking
from glimpse_env.tasks.records import Outcome, State


class Transcribe(Looking):
    """Read a row of digits through glimpses, one after the other, and stop after the last.

    ## Description
    From one to five digits of many sizes lie side by side on a canvas of 54×110, alone or among distractors: crops of
    other digits. They are said from left to right, one after every `looks` glimpses, and then the agent stops. The task
    of Ba et al. 2015, "Multiple Object Recognition with Visual Attention", section 4.2, with digits for house numbers;
    where the paper has an end symbol, here it is an action, which ends the episode.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; clipped to the canvas. With `saccades="relative"`, a step from the present fixation |
    | `answer` | `Discrete(classes + 1)` | a digit, which is said at every `looks`-th step and without effect at others; the last one is "stop", which ends the episode at any step |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, 1, height, width), float32)` | the retina's patches, finest first; zero outside the canvas |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |
    | `overview` | `Box(0, 1, (1, rows, columns), float32)` | with the argument `overview` alone: the canvas in coarse cells |

    ## Rewards
    Of n digits, 1 / (n + 1) for each that is said right in its turn, and for stopping after the last. `info` has at every
    step `target` (what is to be said next), `correct` (whether the present answer is that; at the end, whether all of the
    row was), `scored` (at the end), `digits` (n), and at the end `is_success`.

    ## Starting State
    A pure function of (seed, episode number). The first fixation is the centre, or uniform with `start="random"`.

    ## Episode End
    `terminated` with "stop", or after (the most digits + 1) * `looks` steps. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `digits` | (1, 5) | of a row: from the first number to the second; or one number |
    | `looks` | 2 | glimpses of each digit |
    | `sides` | (14, 28) | height and width of a digit in pixels, at least and at most; of n digits none is wider than the n-th part of the canvas |
    | `size` | (54, 110) | of the canvas |
    | `pieces`, `piece_size` | 0, 8 | number and height and width of the distractors |
    | `dataset` | `"mnist"` | or another of `Classify-v0`, or `None` with `images` |
    | `images`, `labels`, `names`, `classes`, `channels`, `resize` | | your own, as in `Classify-v0`: grey squares of one size |
    | `split` | `"train"` | or `"validation"`, `"test"` |
    | `order` | `"random"` | or `"sequential"`: the first digit of episode k is image k of the split |
    | `patch`, `scales` | 12, 3 | of the retina |
    | `overview` | `None` | (rows, columns), or the number of cells along the canvas' longer side |
    | `start` | `"centre"` | or `"random"` |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the canvas and the gaze upon it |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=256)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    paths = ("images",)
    splits = SPLITS
    judges = True
    answers_act = True
    stops = True
    group_key = "digits"

    def __init__(
        self,
        backend: Backend,
        *,
        digits: int | Sequence[int] = (1, 5),
        looks: int = 2,
        sides: Sequence[int] = (14, 28),
        dataset: str | None = "mnist",
        images: str | os.PathLike[str] | Any = None,
        split: Split = "train",
        order: Literal["random", "sequential"] = "random",
        size: int | tuple[int, int] = (54, 110),
        pieces: int = 0,
        piece_size: int = 8,
        patch: int | tuple[int, int] = 12,
        scales: int = 3,
        overview: int | tuple[int, int] | None = None,
        start: Literal["centre", "random"] = "centre",
        saccades: Literal["absolute", "relative"] = "absolute",
        **shown: Any,
    ) -> None:
        check_counts(looks=looks)
        check_choices(order=order)
        self.counts = checked_ends("digits", digits)
        self.looks, most = int(looks), self.counts[1]
        super().__init__(
            backend, num_glimpses=(most + 1) * self.looks, patch=patch, scales=scales, start=start, saccades=saccades
        )
        self.scene = load_grey_squares(backend, dataset=dataset, images=images, split=split, **shown)
        self.images, self.labels, height = self.scene.images, self.scene.labels, self.scene.images.shape[-1]
        check_count("pieces", pieces, 0)
        check_counts(piece_size=piece_size)
        self.sides, self.pieces, self.piece = checked_ends("sides", sides), int(pieces), int(piece_size)
        if self.piece > min(height, *pair(size)):
            raise ValueError(
                f"piece_size is at most the side of the images, {height}, and of the canvas, {pair(size)}, got {piece_size}"
            )
        if self.sides[1] > height or self.sides[0] * most > pair(size)[1] or self.sides[1] > pair(size)[0]:
            raise ValueError(
                f"sides are at most that of the images, {height}, and {most} of the least must fit side by side onto a "
                f"canvas of {pair(size)}: got {self.sides}"
            )
        self.source, self.order, self.num_episodes = self.scene.source, order, self.scene.num_episodes
        self.stop, self.weights = len(self.scene.answer_names), backend.asarray(shrinking(height, self.sides[1]))
        self.answer_names = (*self.scene.answer_names, "stop")
        self.group_names = tuple(map(str, range(most + 1)))
        self.look(1, pair(size), spaces.Discrete(self.stop + 1), "class", overview)

    def names(self) -> dict[str, tuple[str, ...]]:  # noqa: D102
        return {"classes": self.scene.answer_names}

    def digest(self) -> str:  # noqa: D102
        return self.scene.digest()

    def row(self, seeds: Array, episodes: Array) -> Row:
        """The digits of these episodes (N,)."""
        if self.order == "sequential":
            episodes = episodes % len(self.labels)
        settings = len(self.labels), self.counts, self.sides, self.canvas_size
        row = draw_row(seeds, episodes, *settings, self.backend)
        if self.order == "sequential":
            row.index[:, 0] = episodes
        return row

    def scenes(self, seeds: Array, episodes: Array) -> tuple[Array, Array]:
        """The canvases, and the symbols to be said, (N, most + 1): the digits, then "stop"."""
        xp, row = self.backend.xp, self.row(seeds, episodes)
        symbols = xp.where(row.side > 0, self.labels[row.index], xp.full_like(row.index, self.stop))
        symbols = xp.concat([symbols, xp.full_like(symbols[:, :1], self.stop)], axis=1)
        clutter = draw_clutter(
            seeds, episodes, self.images.shape, self.pieces, self.piece, self.canvas_size, self.backend
        )
        below = paint_clutter(clutter, self.images, self.canvas_size, self.backend)
        return paint_row(row, self.images, self.weights, below, self.backend), symbols

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        state = super().begin(seeds, episodes)
        perfect = self.backend.xp.ones_like(episodes, dtype=self.backend.xp.bool)
        return {**state, "count": self.row(seeds, episodes).count, "perfect": perfect}

    def _due(self, state: State) -> Array:
        """(N,) int64, what is to be said at this step, or next."""
        turn = self.backend.clip(state["time"] // self.looks, 0, self.counts[1])
        return state["target"][self.backend.rows(turn.shape[0]), turn]

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        xp, due, answer = self.backend.xp, self._due(state), action["answer"]
        right, stopped = answer == due, answer == self.stop
        said = (state["time"] % self.looks == self.looks - 1) | stopped
        perfect = state["perfect"] & (right | ~said)
        after, last = self.moved(state, action)
        terminated = last | stopped
        earned = xp.astype(right & said, xp.float32) / xp.astype(state["count"] + 1, xp.float32)
        correct = xp.where(terminated, perfect & stopped, right)
        info = {"target": due, "digits": self.backend.copy(state["count"]), "scored": terminated, "correct": correct}
        return Outcome({**after, "perfect": perfect}, earned, terminated, info)

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {"target": self._due(state), "digits": self.backend.copy(state["count"])}

    def groups(self, seeds: Array, episodes: Array) -> Array:
        """The digits of each episode, (N,) int64."""
        return self.row(seeds, episodes).count

    def target_boxes(self, seeds: Array, episodes: Array) -> Array:
        """(N, most, 4) int64 left, top, right, bottom in pixels of each digit; empty where there are fewer."""
        row = self.row(seeds, episodes)
        return self.backend.xp.concat([row.corner, row.corner + row.side[..., None]], axis=2)

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "oracle": each digit in its turn, and then the last one."""
        xp, boxes = self.backend.xp, self.target_boxes(seeds, episodes)
        middle = self.middles(boxes)
        turn = self.backend.rows(self.horizon)[1:] // self.looks
        last = xp.sum(xp.astype(boxes[..., 2] > boxes[..., 0], xp.int64), axis=1) - 1
        turn = xp.where(turn[None] < last[:, None], turn[None], last[:, None])
        return middle[self.backend.rows(middle.shape[0])[:, None], turn]
