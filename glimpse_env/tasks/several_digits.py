"""Several digits on one canvas, and one answer about all of them: which they are, or their sum."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.images import SPLITS, Split
from glimpse_env.rng import Array
from glimpse_env.tasks.arguments import check_choice, check_choices, check_count
from glimpse_env.tasks.classify import Classify
from glimpse_env.tasks.glimpsing import pair
from glimpse_env.tasks.looking import Looking

MOST = 4
"""Digits on a canvas."""


MOST_ANSWERED = 10**5
"""Rows of classes that answers are known of."""


class SeveralDigits(Looking):
    """Look at several digits on one canvas through glimpses, and say which they are, or their sum.

    ## Description
    Two digits lie on a black canvas of 100×100, among distractors or alone: the tasks "pairs" and "addition" of Ba et al.
    2015, "Multiple Object Recognition with Visual Attention", section 4.1. The scenes are those of the generator published
    with Mnih et al. 2014: distractors first, then the digits, all placed independently, added and clamped. So digits may
    overlap.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; clipped to the canvas. With `saccades="relative"`, a step from the present fixation |
    | `answer` | `Discrete` | the digits in no order (of two: 55 classes, "0 0" to "9 9"), or their sum (of two: 19) |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, channels, height, width), float32)` | the retina's patches, finest first; zero outside the canvas |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |
    | `overview` | `Box(0, 1, (channels, rows, columns), float32)` | with the argument `overview` alone: the canvas in coarse cells |

    ## Rewards
    1 at the end for a right last answer, else 0. `info` has at every step `target`, `scored` and `correct`, and at the end
    `is_success`.

    ## Starting State
    A pure function of (seed, episode number). The first fixation is the centre, or uniform with `start="random"`.

    ## Episode End
    `terminated` after `num_glimpses` steps. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `digits` | 2 | on each canvas, from 1 to 4 |
    | `answer` | `"pair"` (`"sum"` for `MNISTAddition-v0`) | what is asked: which digits, in no order, or their sum |
    | `num_glimpses` | 4 | glimpses, and steps, of an episode |
    | `dataset` | `"mnist"` | or another of `Classify-v0`, or `None` with `images`; a sum is of the classes' places in their list, from 0: of digits, their own |
    | `images`, `labels`, `names`, `classes`, `resize`, `fit`, `channels` | | your own, as in `Classify-v0` |
    | `split` | `"train"` | or `"validation"`, `"test"` |
    | `order` | `"random"` | or `"sequential"`: the first digit of episode k is image k of the split |
    | `size`, `pieces`, `piece_size`, `blend` | 100, 8 (0 for `MNISTAddition-v0`), 8, `"add"` | of the canvas, as in `Classify-v0` |
    | `patch`, `scales` | 12, 4 | of the retina |
    | `overview` | `None` | (rows, columns), or the number of cells along the canvas' longer side |
    | `start`, `stop`, `glimpse_cost` | `"centre"`, `False`, 0.0 | as in `Classify-v0` |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the canvas and the gaze upon it |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    paths = ("images",)
    splits = SPLITS
    variety = ("overhang", "augment")

    def __init__(
        self,
        backend: Backend,
        *,
        digits: int = 2,
        answer: Literal["pair", "sum"] = "pair",
        dataset: str | None = "mnist",
        images: str | os.PathLike[str] | Any = None,
        split: Split = "train",
        order: Literal["random", "sequential"] = "random",
        size: int | tuple[int, int] = 100,
        pieces: int = 8,
        num_glimpses: int = 4,
        patch: int | tuple[int, int] = 12,
        scales: int = 4,
        overview: int | tuple[int, int] | None = None,
        start: Literal["centre", "random"] = "centre",
        saccades: Literal["absolute", "relative"] = "absolute",
        stop: bool = False,
        glimpse_cost: float = 0.0,
        **shown: Any,
    ) -> None:
        check_count("digits", digits)
        if digits > MOST:
            raise ValueError(f"digits must be at most {MOST}, got {digits}")
        looking: dict[str, Any] = {"start": start, "saccades": saccades, "stop": stop, "glimpse_cost": glimpse_cost}
        super().__init__(backend, num_glimpses=num_glimpses, patch=patch, scales=scales, **looking)
        check_choices(order=order)
        check_choice("answer", answer, ("pair", "sum"))
        scenes = {"dataset": dataset, "images": images, "split": split, "size": pair(size), "num_glimpses": 1, **shown}
        self.first, self.others = (Classify(backend, pieces=count, **scenes) for count in (pieces, 0))
        self.digits, self.order, self.num_episodes = int(digits), order, self.first.num_episodes
        self.source, names = self.first.source, self.first.answer_names
        self.image_size = self.first.image_size
        self.answer_names, table = answers(names, self.digits, answer)
        self.classes, self.table_of_answers = len(names), backend.asarray(table)
        self.look(self.first.images.shape[1], pair(size), spaces.Discrete(len(self.answer_names)), "class", overview)

    def names(self) -> dict[str, tuple[str, ...]]:  # noqa: D102
        return {"classes": self.first.answer_names}

    def digest(self) -> str:  # noqa: D102
        return self.first.digest()

    def _drawn(self, seeds: Array, episodes: Array) -> list[tuple[Classify, tuple[Array, Array, Array]]]:
        """Of each digit, the scene that it has alone, and (seeds, numbers, index) of it; the first has the distractors."""
        drawn, order = [], self.order == "sequential"
        episodes = episodes % self.num_episodes if order else episodes
        for digit in range(self.digits):
            scene, numbers = self.others if digit else self.first, episodes * MOST + digit
            index = scene.planned(seeds, numbers).index
            if order and not digit:
                index = episodes
            drawn.append((scene, (seeds, numbers, index)))
        return drawn

    def scenes(self, seeds: Array, episodes: Array) -> tuple[Array, Array]:  # noqa: D102
        xp, canvas, code = self.backend.xp, None, self.backend.xp.zeros_like(episodes)
        for scene, numbers in self._drawn(seeds, episodes):
            new = scene.compose(*numbers).canvas
            canvas = new if canvas is None else canvas + xp.minimum(new, 255 - canvas)
            code = code * self.classes + self.first.labels[numbers[2]]
        return canvas, self.table_of_answers[code]

    def target_boxes(self, seeds: Array, episodes: Array) -> Array:
        """(N, digits, 4) int64 left, top, right, bottom in pixels of each digit."""
        boxes = [scene.target_boxes(*numbers) for scene, numbers in self._drawn(seeds, episodes)]
        return self.backend.xp.stack(boxes, axis=1)


def answers(names: Sequence[str], digits: int, answer: str) -> tuple[tuple[str, ...], np.ndarray]:
    """The names of the answers about so many digits of these classes, and the right one for any of them.

    Args:
        names: of the classes.
        digits: K.
        answer: "pair", which classes in no order, or "sum", of their numbers.

    Raises:
        ValueError: for too many classes.

    Returns:
        The names, and (classes ** K,) int64: the answer for classes c_1, c_2, … is at c_K + classes c_{K-1} + ….
    """
    count = len(names)
    if count**digits > MOST_ANSWERED:
        raise ValueError(
            f"{digits} of {count} classes are {count**digits:,} cases, at most {MOST_ANSWERED:,} are asked about"
        )
    tuples = list(itertools.product(range(count), repeat=digits))
    if answer == "sum":
        return tuple(map(str, range(digits * (count - 1) + 1))), np.array([sum(classes) for classes in tuples])
    sets = list(itertools.combinations_with_replacement(range(count), digits))
    number = {classes: place for place, classes in enumerate(sets)}
    named = tuple(" ".join(names[label] for label in classes) for classes in sets)
    return named, np.array([number[tuple(sorted(classes))] for classes in tuples])
