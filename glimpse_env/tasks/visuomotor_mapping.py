"""Which direction belongs to which image is new in every episode, and found out by trying."""

from __future__ import annotations

import os
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.images import SPLITS, Split
from glimpse_env.rng import Array, draw_words, integers
from glimpse_env.tasks.arguments import check_count, check_counts
from glimpse_env.tasks.classify import Classify
from glimpse_env.tasks.items import Items
from glimpse_env.tasks.records import Outcome, Schedule, State
from glimpse_env.tasks.walk import Walk

DIRECTIONS = ("north", "east", "south", "west")
"""The answers."""
MAPPING_STREAM = 1
"""The random stream of directions, and of the order of the images; 0 draws the images."""


class VisuomotorMapping(Walk):
    """Which direction belongs to which image is new in every episode, and found out by trying.

    ## Description
    In each trial one of a few images is shown, and a direction is answered. One step more of the same image tells
    whether that was right. A direction that was right is to be remembered; of one that was wrong, that it was. Nothing
    else tells what is right, and in the next episode all is different. After "arbitrary visuomotor mapping" of Psychlab
    (Leibo et al. 2018; Wise & Murray 2000), seen through glimpses; there an episode has 50 trials in training.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; clipped to the canvas. With `saccades="relative"`, a step from the present fixation. Without effect where another trial follows: its first fixation is the centre |
    | `answer` | `Discrete(4)` | north, east, south, west; that of the last glimpse of a trial counts |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, channels, height, width), float32)` | the retina's patches, finest first; zero outside the canvas |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `feedback` | `Box(0, 1, (8,), float32)` | after the answer: which it was, one of four if it was right, or one of the other four if it was wrong; else zeros |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |

    ## Rewards
    1 / trials for each right answer. `info` has at every step `target` (of the trial, or of the next), `scored`,
    `correct`, and `late_success`, the share of the second half's trials that were right so far; at the end `is_success`.

    ## Starting State
    A pure function of (seed, episode number). Images, directions, and the image of each trial are uniform; two images may
    have the same direction.

    ## Episode End
    `terminated` after trials * (num_glimpses + 1) - 1 steps. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `trials` | 20 | of an episode |
    | `pairs` | 4 | images, each with its direction; of different classes |
    | `num_glimpses` | 2 | glimpses of a trial, before the answer |
    | `pool` | `None` | images of the split that take part: the first of each of so many classes; `None` for all images |
    | `whole` | `False` | the twin that sees each image at once, pixel by pixel, in one glimpse; `patch` and `scales` are then its own |
    | `dataset` | `"mnist"` | or `"fashion_mnist"`, `"kmnist"`, or `None` with `images` |
    | `images`, `labels`, `names`, `classes`, `channels`, `resize` | | your own, as in `Classify-v0`: each is scaled until it just fits into the canvas |
    | `split` | `"train"` | or `"validation"`, `"test"` |
    | `order` | `"random"` | or `"sequential"`: one of the images of episode k is image k of those that take part |
    | `size` | 28 | of the canvas |
    | `patch`, `scales` | 8, 2 | of the retina |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the present image and the gaze upon it |
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
    episode_metrics = ("late_success",)

    def __init__(
        self,
        backend: Backend,
        *,
        trials: int = 20,
        pairs: int = 4,
        num_glimpses: int = 2,
        pool: int | None = None,
        whole: bool = False,
        dataset: str | None = "mnist",
        images: str | os.PathLike[str] | Any = None,
        split: Split = "train",
        order: Literal["random", "sequential"] = "random",
        size: int = 28,
        patch: int | tuple[int, int] = 8,
        scales: int = 2,
        saccades: Literal["absolute", "relative"] = "absolute",
        **shown: Any,
    ) -> None:
        check_counts(pairs=pairs, num_glimpses=num_glimpses, size=size)
        check_count("trials", trials, 2)
        if whole:
            num_glimpses, patch, scales = 1, size, 1
        super().__init__(backend, patch=patch, scales=scales, saccades=saccades)
        self.scenes = Classify(
            backend, dataset=dataset, images=images, split=split, size=size, fit="contain", num_glimpses=1, **shown
        )
        self.items = Items(self.scenes, int(pairs), pool, order)
        self.num_episodes = self.items.num_images
        self.trials, self.source = int(trials), self.scenes.source
        trial = np.repeat(np.arange(self.trials), num_glimpses + 1)[:-1]
        into = np.arange(len(trial)) % (num_glimpses + 1)
        told = into == num_glimpses
        self.tells = backend.asarray(np.append(told, False))
        self.walk(
            self.scenes.images.shape[1],
            (int(size), int(size)),
            Schedule(trial, trial + told, into == num_glimpses - 1),
            {"feedback": ("bits", spaces.Box(0, 1, (2 * len(DIRECTIONS),), np.float32))},
            spaces.Discrete(len(DIRECTIONS)),
        )

    def digest(self) -> str:  # noqa: D102
        return self.scenes.digest()

    def compose(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp, index = self.backend.xp, self.items.draw(seeds, episodes)
        words = draw_words(seeds, self.items.numbered(episodes), self.items.count + self.trials, MAPPING_STREAM)
        direction = integers(words[:, : self.items.count], len(DIRECTIONS))
        item = integers(words[:, self.items.count :], self.items.count)
        none = xp.zeros_like(episodes)
        return {
            "shows": xp.take_along_axis(index, item, axis=1),
            "target": xp.take_along_axis(direction, item, axis=1),
            "said": none,
            "won": none > 0,
            "late": none,
        }

    def present(self, state: State) -> Array:  # noqa: D102
        now = self.now(state)
        return self.scenes.alone(state["shows"][self.backend.rows(now.shape[0]), self.shown[now]])

    def parts(self, state: State) -> dict[str, Array]:
        """What was answered, and whether that was right, in the step that tells it."""
        xp, now = self.backend.xp, self.now(state)
        said = xp.where(state["won"], state["said"], len(DIRECTIONS) + state["said"])
        feedback = (self.backend.rows(2 * len(DIRECTIONS)) == said[:, None]) & self.tells[now][:, None]
        return {"feedback": xp.astype(feedback, xp.float32)}

    def heard(self, state: State, answer: Array, right: Array) -> State:  # noqa: D102
        late = right & (self.asked[state["time"] - 1] >= self.trials // 2)
        after = state["late"] + self.backend.xp.astype(late, self.backend.xp.int64)
        return {**state, "said": self.backend.copy(answer), "won": right, "late": after}

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        made = super().act(state, action)
        return made._replace(info={**made.info, **self._success(made.state)})

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {**super().info(state), **self._success(state)}

    def _success(self, state: State) -> dict[str, Array]:
        right = self.backend.xp.astype(state["late"], self.backend.xp.float64)
        return {"late_success": right / (self.trials - self.trials // 2)}

    def canvas(self, seed: int, episode: int) -> np.ndarray:
        """The image of the first trial, (H, W, C) uint8."""
        state = self.compose(*(self.backend.asarray([number], "int64") for number in (seed, episode)))
        return self.backend.to_numpy(self.scenes.alone(state["shows"][:, 0])[0]).transpose(1, 2, 0)
