"""See one thing, then several; where was the one among them?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from glimpse_env.backend import Backend
from glimpse_env.images import SPLITS, Split
from glimpse_env.rng import Array, draw_words, integers
from glimpse_env.tasks.arguments import check_counts
from glimpse_env.tasks.classify import Classify
from glimpse_env.tasks.delays import checked_delays
from glimpse_env.tasks.items import Items
from glimpse_env.tasks.records import State
from glimpse_env.tasks.staged import StagedWalk

DIRECTIONS = ("north", "east", "south", "west")
"""The answers, and the places of what is shown the second time, in cells of a third of the canvas: see `PLACES`."""
PLACES = ((0, 1), (1, 2), (2, 1), (1, 0))
"""(row, column) of each of them."""
TARGET_STREAM = 1
"""The random stream of the answers; 0 draws the images."""
WHAT, FIRST_DELAY, WHERE, SECOND_DELAY, QUESTION = range(5)
"""The canvases of an episode."""


class WhatThenWhere(StagedWalk):
    """See one thing, then four; where was the one among them?

    ## Description
    First one image is shown, in the middle of the canvas. After a delay four images of different classes are shown, in
    the north, east, south and west, one of which is the first again. After another delay, and with nothing shown, the
    answer is where it was. What was seen must be kept, and then compared, and then where it was. After "what then
    where" of Psychlab (Leibo et al. 2018, "Psychlab: A Psychology Laboratory for Deep Reinforcement Learning Agents"),
    seen through glimpses. There the delays of a training are 4, 8, 32 and 128 and those held out 16 and 64, and images
    are five (`pool=5`), other ones for the test.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; clipped to the canvas. With `saccades="relative"`, a step from the present fixation. Without effect where another canvas follows: its first fixation is the centre |
    | `answer` | `Discrete(4)` | north, east, south, west; only that of the last step counts |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, channels, height, width), float32)` | the retina's patches, finest first; zero outside the canvas, in a delay and with the question |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `stage` | `Box(0, 1, (4,), float32)` | one of: the first image, the four, a delay, the question |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the longest episode |

    ## Rewards
    1 at the end for a right answer, else 0. `info` has at every step `target`, `scored`, `correct`, and at the end
    `is_success`.

    ## Starting State
    A pure function of (seed, episode number). Classes, images, directions and delays are uniform.

    ## Episode End
    `terminated` after what_glimpses + num_glimpses + both delays + 1 steps. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `delay` | 4 | steps of each of the two delays; of several numbers each is drawn for itself |
    | `what_glimpses` | 2 | glimpses of the first image |
    | `num_glimpses` | 6 | glimpses of the four |
    | `pool` | `None` | images of the split that take part: the first of each of so many classes; `None` for all images |
    | `whole` | `False` | the twin that sees both at once, side by side, pixel by pixel, in one glimpse; `patch` and `scales` are then its own |
    | `dataset` | `"mnist"` | or `"fashion_mnist"`, `"kmnist"`, or `None` with `images` |
    | `images`, `labels`, `names`, `classes`, `channels`, `resize` | | your own, as in `Classify-v0`: each is scaled until it just fits into a cell |
    | `split` | `"train"` | or `"validation"`, `"test"` |
    | `order` | `"random"` | or `"sequential"`: the first image of episode k is image k of those that take part |
    | `cell` | 28 | width of an image; the canvas is three of them wide and high |
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

    paths = ("images",)
    splits = SPLITS
    answer_names = DIRECTIONS

    def __init__(
        self,
        backend: Backend,
        *,
        delay: int | Sequence[int] = 4,
        what_glimpses: int = 2,
        num_glimpses: int = 6,
        pool: int | None = None,
        whole: bool = False,
        dataset: str | None = "mnist",
        images: str | os.PathLike[str] | Any = None,
        split: Split = "train",
        order: Literal["random", "sequential"] = "random",
        cell: int = 28,
        patch: int | tuple[int, int] = 12,
        scales: int = 3,
        saccades: Literal["absolute", "relative"] = "absolute",
        **shown: Any,
    ) -> None:
        check_counts(what_glimpses=what_glimpses, num_glimpses=num_glimpses, cell=cell)
        lengths, size = checked_delays(delay, 1), 3 * int(cell)
        if whole:
            patch, scales = (size, 2 * size), 1
        super().__init__(backend, patch=patch, scales=scales, saccades=saccades)
        scenes = Classify(
            backend, dataset=dataset, images=images, split=split, size=cell, fit="contain", num_glimpses=1, **shown
        )
        self.items, self.full, self.source = Items(scenes, len(DIRECTIONS), pool, order), bool(whole), scenes.source
        self.num_episodes = self.items.num_images
        self.gazes = (*self.gazes, "oracle") if self.gazes else ()
        steps = (what_glimpses, max(lengths), num_glimpses, max(lengths), 1)
        kinds, delays = (0, 2, 1, 2, 3), (-1, 0, -1, 1, -1)
        self.in_stages(scenes.images.shape[1], size, steps, kinds, delays, lengths, (WHAT, WHERE))

    def digest(self) -> str:  # noqa: D102
        return self.items.scenes.digest()

    def compose(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        index = self.items.draw(seeds, episodes)
        words = draw_words(seeds, self.items.numbered(episodes), 1, TARGET_STREAM)
        return {"index": index, "target": integers(words, len(DIRECTIONS))}

    def looked_at(self, state: State) -> tuple[Array, Array]:
        """The first image; and the four, the first where the answer says and the others in the places after it."""
        each, turn = self.backend.rows(len(state["index"])), len(PLACES) - state["target"][:, 0]
        four = [state["index"][each, (place + turn) % len(PLACES)] for place in range(len(PLACES))]
        return self.items.placed([state["index"][:, 0]], [(1, 1)]), self.items.placed(four, PLACES)

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "oracle": the four in turn, north first, so that the order tells nothing."""
        path = super().scripted(name, seeds, episodes)
        if self.full:
            return path
        places = self.backend.asarray(np.array(PLACES)[:, ::-1] * 2 / 3 - 2 / 3, "float32")
        plan = self.plan(seeds, episodes)[:, 1 : self.horizon]
        begin = int(np.flatnonzero(self.schedule.shown == WHERE)[0])
        turn = self.backend.clip(plan - begin - 1, 0, None)
        seen = places[turn % len(PLACES)]
        return self.staying(self.backend.xp.where((self.shown[plan] == WHERE)[..., None], seen, path), plan)
