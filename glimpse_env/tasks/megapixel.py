"""Digits on a canvas of millions of pixels, among strokes."""

from __future__ import annotations

import os
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.images import SPLITS, Split
from glimpse_env.megapixel_scenes import (
    DIGITS,
    PATTERN,
    QUESTIONS,
    SAME,
    SINGLE,
    ByClass,
    Scene,
    answers,
    draw_scene,
    paint_scene,
    stroke_patterns,
)
from glimpse_env.retina import MAX_SCALES
from glimpse_env.rng import Array
from glimpse_env.row_scenes import shrinking
from glimpse_env.tasks.arguments import check_choice, check_choices, check_count
from glimpse_env.tasks.grey_squares import load_grey_squares
from glimpse_env.tasks.looking import Looking

ROOM = 8
"""Sides of a digit that a canvas has at least, so that five find places of their own."""

FIXED_SEED = 2**42
"""The seed of fixed training scenes; other ones are of the seeds that resets name."""


class Megapixel(Looking):
    """Find five digits on a canvas of millions of pixels, among strokes, and answer a question about them.

    ## Description
    Three digits of one class and two of others lie anywhere on a black canvas, with fifty patterns of strokes: Megapixel
    MNIST. In the form of attention sampling (Katharopoulos & Fleuret 2019) the strokes are written over the digits, in
    that of iterative patch selection (Bergner et al. 2023) below them (`digits_on_top`). Of a large canvas the host reads
    no more than the glimpses' windows, and all of it once where there is an overview; it keeps a byte for a pixel.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; clipped to the canvas. With `saccades="relative"`, a step from the present fixation |
    | `answer` | `Discrete(classes)`; of `question="multi"` `MultiBinary(classes)`; of `"all"` `MultiDiscrete([classes] * 3 + [2] * classes)` | the class that is asked for, or all classes that are there; of `"all"` the answers to the four questions side by side |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, 1, height, width), float32)` | the retina's patches, finest first; zero outside the canvas |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |
    | `overview` | `Box(0, 1, (1, rows, columns), float32)` | with the argument `overview` alone: the canvas in coarse cells |

    ## Rewards
    1 at the end for a right last answer, else 0. `info` has at every step `target`, `scored` and `correct`, and at the end
    `is_success`.

    ## Starting State
    A pure function of (seed, episode number); in training, with `scenes`, of the episode number alone. The first fixation
    is the centre, or uniform with `start="random"`.

    ## Episode End
    `terminated` after `num_glimpses` steps. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `question` | `"majority"` | the class of three of the digits; `"max"`, the largest digit; `"top"`, the topmost; `"multi"`, all that are there; `"all"`, these four at once |
    | `digits_on_top` | `False` | whether the digits are written over the strokes |
    | `scenes` | 5000 | how many different scenes there are in training, as published; `None`: any number |
    | `size` | 1500 | height and width of the canvas |
    | `side` | 28 | height and width of a digit, at most that of the images |
    | `strokes` | 50 | patterns of strokes, 14 pixels from the edge at least |
    | `dataset` | `"mnist"` | or another of `Classify-v0`, or `None` with `images` |
    | `images`, `labels`, `names`, `classes`, `channels`, `resize` | | your own, as in `Classify-v0`: grey squares of one size |
    | `split` | `"train"` | or `"validation"`, `"test"` |
    | `order` | `"random"` | or `"sequential"`: the first digit of episode k is image k of the split. Fixed scenes are shown in their order with both |
    | `num_glimpses` | 10 | glimpses, and steps, of an episode |
    | `patch`, `scales` | 28, 2 | of the retina |
    | `overview` | `None` | (rows, columns), or the number of cells along the canvas' side |
    | `start`, `stop`, `glimpse_cost` | `"centre"`, `False`, 0.0 | as in `Classify-v0` |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the canvas and the gaze upon it |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=64)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    paths = ("images",)
    splits = SPLITS

    def __init__(
        self,
        backend: Backend,
        *,
        question: Literal["majority", "max", "top", "multi", "all"] = "majority",
        digits_on_top: bool = False,
        scenes: int | None = 5000,
        size: int = 1500,
        side: int = 28,
        strokes: int = 50,
        dataset: str | None = "mnist",
        images: str | os.PathLike[str] | Any = None,
        split: Split = "train",
        order: Literal["random", "sequential"] = "random",
        num_glimpses: int = 10,
        patch: int | tuple[int, int] = 28,
        scales: int = 2,
        overview: int | tuple[int, int] | None = None,
        start: Literal["centre", "random"] = "centre",
        saccades: Literal["absolute", "relative"] = "absolute",
        stop: bool = False,
        glimpse_cost: float = 0.0,
        **shown: Any,
    ) -> None:
        looking: dict[str, Any] = {"start": start, "saccades": saccades, "stop": stop, "glimpse_cost": glimpse_cost}
        super().__init__(backend, num_glimpses=num_glimpses, patch=patch, scales=scales, **looking)
        check_choice("question", question, (*QUESTIONS, "all"))
        check_choices(order=order)
        check_count("size", size, 4 * PATTERN)
        check_count("strokes", strokes, 0)
        if scenes is not None:
            check_count("scenes", scenes)
        scene = load_grey_squares(backend, dataset=dataset, images=images, split=split, **shown)
        largest = scene.images.shape[-1]
        check_count("side", side)
        if side > largest or size < ROOM * side:
            raise ValueError(f"side is at most that of the images, {largest}, and of size / {ROOM}, got {side}")
        self.question, self.on_top, self.size, self.side = question, bool(digits_on_top), int(size), int(side)
        self.strokes, self.fixed = int(strokes), scenes if split == "train" else None
        self.scene, self.source, names = scene, scene.source, scene.answer_names
        self.images = backend.asarray(shrunk(backend.to_numpy(scene.images)[:, 0], self.side))
        self.patterns = backend.asarray(stroke_patterns())
        self.by_class = ByClass.of(backend.to_numpy(scene.labels), len(names), backend)
        # Fixed scenes are always shown in their order: no image can begin one of its own.
        self.order, self.num_episodes = order, scene.num_episodes if self.fixed is None else self.fixed
        self.classes, self.answer_names = len(names), names
        self.look(1, (self.size, self.size), *self.answered(), overview)

    def names(self) -> dict[str, tuple[str, ...]]:  # noqa: D102
        return {"classes": self.scene.answer_names}

    def digest(self) -> str:  # noqa: D102
        return self.scene.digest()

    def answered(self) -> tuple[spaces.Space, str]:
        """The space and the role of an answer; of several at once, which of them belong together, too."""
        if self.question == "multi":
            return spaces.MultiBinary(self.classes), "bits"
        if self.question in SINGLE:
            return spaces.Discrete(self.classes), "class"
        sizes = [self.classes] * len(SINGLE) + [2] * self.classes
        self.part_families = {name: (number,) for number, name in enumerate(SINGLE)}
        self.part_families["multi"] = tuple(range(len(SINGLE), len(sizes)))
        return spaces.MultiDiscrete(sizes), "classes"

    def drawn(self, seeds: Array, episodes: Array) -> Scene:
        """The scenes of these episodes (N,)."""
        if self.fixed is not None:
            seeds, episodes = self.backend.xp.full_like(seeds, FIXED_SEED), episodes % self.fixed
        first = None
        if self.fixed is None and self.order == "sequential":
            first = episodes = episodes % self.num_episodes
        settings = self.by_class, self.size, self.side, self.strokes
        return draw_scene(seeds, episodes, *settings, self.backend, first)

    def scenes(self, seeds: Array, episodes: Array) -> tuple[Array, Array]:  # noqa: D102
        scene = self.drawn(seeds, episodes)
        canvas = paint_scene(scene, self.images, self.patterns, self.size, self.on_top, self.backend)
        return canvas, answers(scene, self.question, self.classes, self.backend)

    def wants_tables(self, size: tuple[int, int]) -> bool:
        """Not on the host: a glimpse sees little of such a canvas, even where it is taken window by window."""
        return not self.backend.on_host or self.retina.scales > MAX_SCALES

    def target_boxes(self, seeds: Array, episodes: Array) -> Array:
        """(N, digits, 4) int64 left, top, right, bottom in pixels of the digits that the answer rests on."""
        xp, scene = self.backend.xp, self.drawn(seeds, episodes)
        corner = scene.corner
        if self.question == "majority":
            corner = corner[:, :SAME]
        elif self.question in ("max", "top"):
            rank = -scene.label if self.question == "max" else corner[:, :, 1]
            corner = corner[self.backend.rows(corner.shape[0]), xp.argmin(rank, axis=1)][:, None]
        return xp.concat([corner, corner + self.side], axis=2)

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "oracle": the digits from left to right, again and again."""
        xp, scene = self.backend.xp, self.drawn(seeds, episodes)
        middle = (2 * xp.astype(scene.corner, xp.float32) + self.side) / self.size - 1
        order = xp.argsort(middle[..., 0], axis=1, stable=True)
        turn = order[:, self.backend.rows(self.horizon - 1) % DIGITS]
        return middle[self.backend.rows(middle.shape[0])[:, None], turn]


def shrunk(images: np.ndarray, side: int) -> np.ndarray:
    """Images (M, h, h) uint8 at another height and width, each pixel the mean of what it covers, rounded."""
    largest = images.shape[-1]
    if side == largest:
        return images
    weights = shrinking(largest, side)[side][:side]
    summed = np.stack([weights @ image @ weights.T for image in images]).astype(np.int64)
    return ((2 * summed + largest**2) // (2 * largest**2)).astype(np.uint8)
