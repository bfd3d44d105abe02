"""Which traffic sign does a street scene show?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.digest import digest_of
from glimpse_env.fitting import Fitting
from glimpse_env.images import SPLITS, Split
from glimpse_env.rng import Array, draw_words, integers, uniform
from glimpse_env.sign_scenes import NUMBERS, Arrangement, areas, arrange, largest, paint, plain
from glimpse_env.street_scenes import CATEGORIES, CATEGORY, CLASSES, load_street_scenes
from glimpse_env.tasks.arguments import check_choice, check_choices
from glimpse_env.tasks.looking import Looking
from glimpse_env.tasks.records import Outcome, State

COMPOSED_STREAM = 3
"""The random stream of what is composed; 0 to 2 are those of scenes, first fixations and scripted gazes."""


class TrafficSigns(Looking):
    """Name the traffic sign of a street scene through a few glimpses.

    ## Description
    A photograph of a street, 1360×800 pixels, shows from one to six traffic signs of 16 to 128 pixels. Which category is
    the largest of them of? The scenes and boxes are those of the German Traffic Sign Detection Benchmark (Houben et al.
    2013), of which those that show a sign take part; the test split is the official one. The agent sees the scene
    through glimpses, as in `Classify-v0`, and as a coarse overview.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; clipped to the scene |
    | `answer` | `Discrete(4)`, `Discrete(43)` or `MultiBinary(4)` | the present answer, by the argument `answer` |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, 3, height, width), float32)` | the retina's patches, finest first; zero outside the scene |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |
    | `overview` | `Box(0, 1, (3, rows, columns), float32)` | means over the cells of a grid that covers the scene; the same at every step |

    ## Rewards
    1 at the end for a right last answer, else 0. `info` has at every step `target`, `scored`, `correct`, and
    `near_target`: whether a fixation so far was within one box-width of the middle of the largest sign.

    ## Starting State
    A pure function of (seed, episode number), as in `Classify-v0`. The first fixation is the centre.

    ## Episode End
    `terminated` after `num_glimpses` steps. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `answer` | `"category"` | of the largest sign: prohibitory, mandatory, danger or other; or `"categories"`, whether each of them occurs; or `"class"`, that of the largest sign among 43 |
    | `data` | `None` | the benchmark's folder; `gtsdb` in the folder that `GLIMPSE_DATA` names |
    | `split` | `"train"` | scenes 0 to 479; or `"validation"`, 480 to 599, or `"test"`, 600 to 899 |
    | `resize` | `None` | the longest side in pixels, to which scenes are shrunk |
    | `classes` | those of `answer` | names of the answers. They have no other names: what an agent was trained with may be named here, and is compared |
    | `composed` | 0.0 | share of the scenes that are composed: zoomed, flipped (not with `"class"`) and lit anew, with up to three signs of other scenes of the split pasted onto them. Variety for training |
    | `overview` | 96 | cells of the overview along the longer side, or (rows, columns); `None` for none |
    | `num_glimpses` | 6 | glimpses, and steps, of an episode |
    | `patch` | 24 | size of a patch in cells, one number or (height, width) |
    | `scales` | 3 | patches of a glimpse |
    | `start` | `"centre"` | or `"random"` |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `order` | `"random"` | or `"sequential"`: episode k shows scene k |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the scene and the gaze upon it |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=64)`; scenes are decoded and composed on the host, whatever the device.

    ## Version History
    * v0: the first.
    """

    paths = ("data",)
    splits = SPLITS
    variety = ("composed",)
    episode_metrics = ("near_target",)

    def __init__(
        self,
        backend: Backend,
        *,
        answer: Literal["category", "categories", "class"] = "category",
        data: str | os.PathLike[str] | None = None,
        split: Split = "train",
        resize: int | None = None,
        classes: Sequence[str] | None = None,
        composed: float = 0.0,
        overview: int | tuple[int, int] | None = 96,
        num_glimpses: int = 6,
        patch: int | tuple[int, int] = 24,
        scales: int = 3,
        order: Literal["random", "sequential"] = "random",
        **looking: Any,
    ) -> None:
        super().__init__(backend, num_glimpses=num_glimpses, patch=patch, scales=scales, **looking)
        check_choice("answer", answer, ("category", "categories", "class"))
        check_choices(order=order)
        if not 0 <= composed <= 1:
            raise ValueError(f"composed is a share in [0, 1], got {composed!r}")
        self.scenes_of = load_street_scenes(data, split, Fitting.of("pad", resize, None))
        self.answer, self.composed, self.order = answer, composed, order
        self.source = self.scenes_of.source
        self.num_episodes = len(self.scenes_of.pictures)
        self.answer_names = CLASSES if answer == "class" else CATEGORIES
        if classes is not None and tuple(classes) != self.answer_names:
            raise ValueError(f"classes of answer={answer!r} are {list(self.answer_names)}, got {list(classes)}")
        several = answer == "categories"
        space = spaces.MultiBinary(len(CATEGORIES)) if several else spaces.Discrete(len(self.answer_names))
        self.look(3, self.scenes_of.pictures.largest, space, "bits" if several else "class", overview)

    def names(self) -> dict[str, tuple[str, ...]]:  # noqa: D102
        return {"classes": self.answer_names}

    def digest(self) -> str:  # noqa: D102
        found = self.scenes_of
        return digest_of(found.pictures.digest(), found.boxes, found.kinds)

    def scenes(self, seeds: Array, episodes: Array) -> tuple[Array, Array]:  # noqa: D102
        return self._painted(self._arranged(seeds, episodes))

    def shown(self, seeds: Array, episodes: Array) -> tuple[State, Array]:
        """As there, and the box of the largest sign."""
        made = self._arranged(seeds, episodes)
        canvas, target = self._painted(made)
        box = self.backend.xp.astype(self._boxes(made), self.backend.xp.float32)
        return {**self.presented(canvas), "box": box}, target

    def target_boxes(self, seeds: Array, episodes: Array) -> Array:
        """(N, 4) int64 left, top, right, bottom in pixels of the largest sign."""
        return self._boxes(self._arranged(seeds, episodes))

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "oracle": the middle of the largest sign, at every glimpse; where the answer is about all signs, those of
        the others after it."""
        if self.answer != "categories":
            return super().scripted(name, seeds, episodes)
        paths = np.empty((len(episodes), self.horizon - 1, 2), np.float32)
        for path, made in zip(paths, self._arranged(seeds, episodes), strict=True):
            ranks = np.argsort(-areas(made.boxes), kind="stable")
            middles = made.boxes[ranks, :2] + made.boxes[ranks, 2:]
            seen = middles[np.minimum(np.arange(len(path)), len(middles) - 1)]
            path[:] = np.clip(seen / self.canvas_size[::-1] - 1, -1, 1)
        return self.backend.asarray(paths)

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        state = super().begin(seeds, episodes)
        return self._looked({**state, "near": self.backend.xp.zeros_like(episodes) > 0})

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        made = super().act(state, action)
        after = self._looked(made.state)
        return made._replace(state=after, info={**made.info, "near_target": self.backend.copy(after["near"])})

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {**super().info(state), "near_target": self.backend.copy(state["near"])}

    def _looked(self, state: State) -> State:
        """The state, with what the present fixation is near to."""
        xp, box = self.backend.xp, state["box"]
        size = self.backend.asarray([[self.canvas_size[1], self.canvas_size[0]]], "float32")
        off = (state["location"] + 1) * size - (box[:, :2] + box[:, 2:])  # twice the distance
        near = xp.sum(off * off, axis=1) <= 4 * (box[:, 2] - box[:, 0]) ** 2
        return {**state, "near": state["near"] | near}

    def _painted(self, made: list[Arrangement]) -> tuple[Array, Array]:
        """The canvases and the right answers."""
        canvas = np.stack([paint(self.scenes_of, one, self.canvas_size) for one in made])
        return self.backend.asarray(canvas), self.backend.asarray(np.stack([self._target(one) for one in made]))

    def _boxes(self, made: list[Arrangement]) -> Array:
        boxes = [one.boxes[largest(one)].round().astype(np.int64) for one in made]
        return self.backend.asarray(np.stack(boxes))

    def _target(self, made: Arrangement) -> np.ndarray:
        if self.answer == "class":
            return np.asarray(made.kinds[largest(made)])
        categories = np.array(CATEGORY)[made.kinds]
        if self.answer == "category":
            return categories[largest(made)]
        return np.isin(np.arange(len(CATEGORIES)), categories).astype(np.int8)

    def _arranged(self, seeds: Array, episodes: Array) -> list[Arrangement]:
        """What the scenes of these episodes show."""
        host, count = self.backend.to_numpy, self.num_episodes
        assert count is not None
        seeds, episodes = host(seeds), host(episodes)
        chosen = integers(draw_words(seeds, episodes, 1)[:, 0], count) if self.order == "random" else episodes % count
        u = uniform(draw_words(seeds, episodes, NUMBERS + 1, COMPOSED_STREAM)).astype(np.float64)
        return [
            arrange(self.scenes_of, int(scene), self.canvas_size, row[1:], self.answer != "class")
            if row[0] < self.composed
            else plain(self.scenes_of, int(scene), self.canvas_size)
            for scene, row in zip(chosen, u, strict=True)
        ]
