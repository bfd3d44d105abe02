"""Visual search: is the item that is asked for there, and where?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.retina import fixation_pixel
from glimpse_env.rng import Array
from glimpse_env.search_scenes import KINDS, SIDE, Items, draw_items, most_items, paint_items
from glimpse_env.tasks.arguments import check_choice, check_count, checked_ends
from glimpse_env.tasks.base import box
from glimpse_env.tasks.looking import Looking
from glimpse_env.tasks.records import Outcome, State


class Search(Looking):
    """Search a display for an item: is it there, and where?

    ## Description
    A T or an L, red or green, is asked for, and lies in half of the episodes among up to forty others. These differ from
    it in colour, in shape, or each in one of both ("conjunction"): the visual search of Treisman & Gelade 1980, as in
    Psychlab (Leibo et al. 2018, section 4.5). People find what differs in one feature at once, however much there is; for
    a conjunction they look at one item after the other. An answer is right where it says whether the item is there, and,
    if it is, the fixation lies on it.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; clipped to the canvas. With `saccades="relative"`, a step from the present fixation |
    | `answer` | `Discrete(2)` | 0: it is not there; 1: it is there, and the present fixation is on it |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, 3, height, width), float32)` | the retina's patches, finest first; zero outside the canvas |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `query` | `Box(0, 1, (4,), float32)` | what is asked for: T, L, red, green |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |
    | `overview` | `Box(0, 1, (3, rows, columns), float32)` | with the argument `overview` alone: the canvas in coarse cells |

    ## Rewards
    1 at the end for a right last answer, else 0. `info` has at every step `target` (whether it is there), `scored`,
    `correct` (whether the present answer and fixation are right), `kind` (0 to 2), and at the end `is_success`.

    ## Starting State
    A pure function of (seed, episode number). The first fixation is the centre, or uniform with `start="random"`.

    ## Episode End
    `terminated` after `num_glimpses` steps. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `items` | (1, 40) | items on the canvas, the target among them: from the first number to the second; or one number |
    | `kinds` | all | of `"colour"`, `"shape"` and `"conjunction"`, one name or several |
    | `num_glimpses` | 6 | glimpses, and steps, of an episode |
    | `size` | 100 | width and height of the canvas in pixels; an item takes 12×12 |
    | `patch`, `scales` | 12, 3 | of the retina |
    | `overview` | `None` | (rows, columns), or the number of cells along the canvas's side |
    | `start`, `stop`, `glimpse_cost` | `"centre"`, `False`, 0.0 | as in `Classify-v0` |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the canvas and the gaze upon it |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=256)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    judges = True
    answer_names = ("no", "yes")
    group_key = "kind"
    group_names = KINDS

    def __init__(
        self,
        backend: Backend,
        *,
        items: int | Sequence[int] = (1, 40),
        kinds: str | Sequence[str] = KINDS,
        num_glimpses: int = 6,
        size: int = 100,
        overview: int | tuple[int, int] | None = None,
        **looking: Any,
    ) -> None:
        super().__init__(backend, num_glimpses=num_glimpses, **looking)
        check_count("size", size, 24)
        self.items, self.size = checked_ends("items", items, 1, most_items(int(size))), int(size)
        chosen = tuple(kinds) if isinstance(kinds, tuple | list) else (kinds,)
        for kind in chosen or ("",):
            check_choice("kinds", kind, KINDS)
        self.kinds = backend.asarray([number for number, kind in enumerate(KINDS) if kind in chosen], "int64")
        self.one_hot = backend.asarray(np.eye(2), "float32")
        parts: dict[str, tuple[str, spaces.Space]] = {"query": ("values", box(0, 1, (4,)))}
        self.look(3, (self.size, self.size), spaces.Discrete(2), "class", overview, parts=parts)

    def drawn(self, seeds: Array, episodes: Array) -> Items:
        """The items of these episodes (N,)."""
        return draw_items(seeds, episodes, self.size, self.items, self.kinds)

    def scenes(self, seeds: Array, episodes: Array) -> tuple[Array, Array]:  # noqa: D102
        items = self.drawn(seeds, episodes)
        return paint_items(items, self.size), self.backend.xp.astype(items.present, self.backend.xp.int64)

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        items = self.drawn(seeds, episodes)
        return {
            **super().begin(seeds, episodes),
            "query": items.query,
            "corner": items.corner[:, 0],
            "kind": items.kind,
        }

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        shape, colour = (self.one_hot[state["query"][:, part]] for part in (0, 1))
        return {**super().observe(state), "query": self.backend.xp.concat([shape, colour], axis=1)}

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        xp = self.backend.xp
        pixel = xp.astype(fixation_pixel(state["location"], self.canvas_size), xp.int64) - state["corner"]
        on_it = xp.all((pixel >= 0) & (pixel < SIDE), axis=1)
        made = super().act(state, action)
        correct = made.info["correct"] & (on_it | (state["target"] == 0))
        reward = xp.astype(correct & made.terminated, xp.float32) - self.glimpse_cost
        return made._replace(reward=reward, info={**made.info, "correct": correct})

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {**super().info(state), "kind": self.backend.copy(state["kind"])}

    def groups(self, seeds: Array, episodes: Array) -> Array:
        """What tells the target of each episode from the others, (N,) int64 in `KINDS`."""
        return self.drawn(seeds, episodes).kind

    def target_boxes(self, seeds: Array, episodes: Array) -> Array:
        """(N, 4) int64 left, top, right, bottom in pixels of what is asked for; an empty box where it is not there."""
        items = self.drawn(seeds, episodes)
        side = SIDE * self.backend.xp.astype(items.present, self.backend.xp.int64)[:, None]
        return self.backend.xp.concat([items.corner[:, 0], items.corner[:, 0] + side], axis=1)

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "oracle": what is asked for; where it is not there, one item after the other."""
        xp, items = self.backend.xp, self.drawn(seeds, episodes)
        middle = (2 * xp.astype(items.corner, xp.float32) + SIDE) / self.size - 1
        turn = self.backend.rows(self.horizon - 1)[None] % items.count[:, None]
        turn = xp.where(items.present[:, None], 0, turn)
        return middle[self.backend.rows(middle.shape[0])[:, None], turn]

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """As of any canvas; hits are counted where what is asked for is there."""
        there = self.backend.to_numpy(self.drawn(*map(self.backend.asarray, (seeds, episodes))).present)
        metrics = super().path_metrics(path, seeds, episodes)
        share = float(there.mean())
        return {**metrics, "attention/target_hit_rate": metrics["attention/target_hit_rate"] / share if share else 0.0}
