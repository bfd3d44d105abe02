"""Classify an image from a few glimpses of it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.render import draw_gaze
from glimpse_env.retina import Retina, glimpse_of_images
from glimpse_env.rng import Array, draw_words, uniform
from glimpse_env.tasks.base import box
from glimpse_env.tasks.image_task import ImageTask, pair
from glimpse_env.tasks.records import Outcome, State

START_STREAM = 1
"""The random stream of the first fixation; stream 0 makes the scene."""


class Classify(ImageTask):
    """Classify an image through a few glimpses.

    ## Description
    An image (a digit, or one of your own) is placed on a larger black canvas, among distractors: small crops of other
    images of the same split. The agent never observes the canvas. It observes a glimpse: `scales` patches around its
    fixation, each twice as wide as the one before and of the same size in cells, so that the periphery is blurred.
    After `num_glimpses` glimpses the last answer is scored. The tasks of Mnih et al. 2014, "Recurrent Models of Visual
    Attention", section 4.1, with the scenes of the generator published with it.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; (0, 0) is the centre, (-1, -1) the top left corner. With `saccades="relative"`, a step from the present fixation in the same unit. The fixation is clipped to the canvas. |
    | `answer` | `Discrete(number of classes)` | the present answer |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, channels, height, width), float32)` | the retina's patches, finest first; zero outside the canvas |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |

    ## Rewards
    1 at the end for a right last answer, else 0. `info` has at every step `target` (the class), `scored` (whether the
    answer of this step counts: in the last step), `correct` (whether it is right), and at the end `is_success`.

    ## Starting State
    The scene is a pure function of (seed, episode number): `reset(seed=s)` begins episode 0 of seed s, each further
    `reset()` the next; `reset(options={"episode": k})` begins episode k. The first fixation is the centre, or uniform
    over the canvas with `start="random"`.

    ## Episode End
    `terminated` after `num_glimpses` steps: `reset` returns the first glimpse, steps 1 to num_glimpses - 1 the others,
    and the last step's answer is scored (its location is ignored). Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `dataset` | `"mnist"` (`None` for `Classify-v0`) | or `"fashion_mnist"`, `"kmnist"`; `None` goes with `images` |
    | `images`, `labels` | | your own images in place of a dataset: arrays (only they need `labels`), an `.npz` file or a folder of class folders (`glimpse_env.datasets.load_images`) |
    | `resize` | `None` | the longest side in pixels, to which larger images are shrunk. A folder's images keep their sizes: each has a place of its own on the canvas |
    | `channels` | as found | 1 for grey, 3 for RGB: images of the other kind are converted |
    | `background` | 128 | behind what is transparent in image files: a grey, or (red, green, blue), from 0 to 255 |
    | `names` | `"0"`, `"1"`, … | the class names of arrays; of a folder they are its folders', of an `.npz` its array `names` |
    | `classes` | those of the labels | names: the classes in this order, onto which labels are mapped by name; or how many there are. Some may have no image here |
    | `split` | `"train"` | or `"validation"`, `"test"`. Of your own images these are 80, 10 and 10 percent of each class, always the same, at least ten images in all; or the folder's own, where it has subfolders of these names. `"all"` is every image of your own |
    | `num_glimpses` | 8 (7 at 28×28) | glimpses, and steps, of an episode |
    | `patch` | 12 (8 at 28×28) | size of a patch in cells, one number or (height, width) |
    | `scales` | 3 (1 at 28×28, 4 at 100×100) | patches of a glimpse |
    | `size` | by task | size of the canvas in pixels; `None` is the largest height and width of the images |
    | `pieces`, `piece_size` | by task, 8 | number and size of the distractors |
    | `blend` | `"add"` | how pieces meet: add and clamp; `"max"` or `"over"` are easier tasks |
    | `overhang` | 0 | how far the image may stick out of the canvas, in pixels: variety for training |
    | `start` | `"centre"` | or `"random"` |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `order` | `"random"` | or `"sequential"`: episode k shows image k, so that an evaluation shows each once |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the canvas and the gaze upon it |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        num_glimpses: int = 8,
        patch: int | tuple[int, int] = 12,
        scales: int = 3,
        start: Literal["centre", "random"] = "centre",
        saccades: Literal["absolute", "relative"] = "absolute",
        **images: Any,
    ) -> None:
        if num_glimpses < 1:
            raise ValueError(f"num_glimpses must be at least 1, got {num_glimpses}")
        if start not in ("centre", "random"):
            raise ValueError(f'start must be "centre" or "random", got {start!r}')
        if saccades not in ("absolute", "relative"):
            raise ValueError(f'saccades must be "absolute" or "relative", got {saccades!r}')
        super().__init__(backend, **images)
        self.horizon, self.start, self.saccades = num_glimpses, start, saccades
        self.clock = backend.asarray([[step / num_glimpses] for step in range(num_glimpses + 1)], "float32")
        self.retina = Retina(pair(patch), scales).checked()
        self.tables = self.choose_tables(num_glimpses)
        self.gazes = ("random", "oracle") if saccades == "absolute" else ()
        self.roles = {"glimpse": "glimpse", "location": "place", "time": "clock"}
        self.action_roles = {"location": "place" if saccades == "absolute" else "saccade", "answer": "class"}
        self.observation_space = spaces.Dict(
            {
                "glimpse": box(0, 1, (scales, self.images.shape[1], *self.retina.patch)),
                "location": box(-1, 1, (2,)),
                "time": box(0, 1, (1,)),
            }
        )
        answers = spaces.Discrete(len(self.answer_names))
        self.action_space = spaces.Dict({"location": box(-1, 1, (2,)), "answer": answers})

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp, n = self.backend.xp, seeds.shape[0]
        if self.tables:
            scenes = self.compose(seeds, episodes)
            index, shown = scenes.index, {"table": self.ops.summed_area_table(scenes.canvas)}
        else:
            index = self._plan(seeds, episodes).index
            shown = {"image": index}
        path = xp.zeros((n, self.horizon + 1, 2), dtype=xp.float32, device=self.backend.device)
        if self.start == "random":
            path[:, 0] = uniform(draw_words(seeds, episodes, 2, START_STREAM)) * 2 - 1
        return {
            "seed": self.backend.copy(seeds),
            "episode": self.backend.copy(episodes),
            **shown,
            "target": xp.take(self.labels, index, axis=0),
            "location": self.backend.copy(path[:, 0]),
            "time": xp.zeros_like(index),
            "path": path,
        }

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        if self.tables:
            glimpse = self.ops.glimpse(state["table"], state["location"], self.retina)
        else:
            where = state["image"], state["location"]
            glimpse = glimpse_of_images(self.images, *where, self.retina, self.ops.summed_area_table)
        return {
            "glimpse": glimpse,
            "location": self.backend.copy(state["location"]),
            "time": self.backend.xp.take(self.clock, state["time"], axis=0),
        }

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        xp = self.backend.xp
        time = self.backend.clip(state["time"] + 1, 0, self.horizon)  # rows that are over wait for their reset
        terminated = time >= self.horizon
        moved = action["location"] if self.saccades == "absolute" else state["location"] + action["location"]
        location = xp.where(terminated[:, None], state["location"], self.backend.clip(moved, -1.0, 1.0))
        state["path"][self.backend.rows(time.shape[0]), time] = location
        correct = action["answer"] == state["target"]
        reward = xp.astype(correct & terminated, xp.float32)
        info = {**self.info(state), "scored": terminated, "correct": correct}
        return Outcome({**state, "time": time, "location": location}, reward, terminated, info)

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {"target": self.backend.copy(state["target"])}

    def render(self, state: State, row: int, mode: str) -> np.ndarray:  # noqa: D102
        seen = min(int(state["time"][row]) + 1, self.horizon)
        path = self.backend.to_numpy(state["path"][row])[:seen]
        return draw_gaze(self.canvas(int(state["seed"][row]), int(state["episode"][row])), path, self.retina)
