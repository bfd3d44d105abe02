"""What the tasks have in common that show one canvas, and want one answer at the end."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.path_metrics import coverage, hit_rate, off_image
from glimpse_env.render import draw_gaze
from glimpse_env.rng import Array, draw_words, uniform
from glimpse_env.tasks.arguments import check_choices, check_counts
from glimpse_env.tasks.glimpsing import GlimpseTask
from glimpse_env.tasks.records import Outcome, State

START_STREAM = 1
"""The random stream of the first fixation; stream 0 makes the scene."""


class Looking(GlimpseTask):
    """A task about canvases that are seen through glimpses, with one answer at the end.

    A subclass knows its canvases: it calls `look` once it knows their size, and defines `scenes` and `target_boxes`.

    Any of them takes `stop=True`, which adds `stop` to the action: 1 ends the episode with the present answer; and
    `glimpse_cost`, which each glimpse takes from the reward.

    Attributes:
        fills_canvas: whether what is to be recognised does.
        padded: whether what lies around it is padding.
    """

    fills_canvas = False
    padded = False

    def __init__(
        self,
        backend: Backend,
        *,
        num_glimpses: int = 8,
        patch: int | tuple[int, int] = 12,
        scales: int = 3,
        start: Literal["centre", "random"] = "centre",
        saccades: Literal["absolute", "relative"] = "absolute",
        stop: bool = False,
        glimpse_cost: float = 0.0,
    ) -> None:
        super().__init__(backend, patch=patch, scales=scales, saccades=saccades)
        check_counts(num_glimpses=num_glimpses)
        check_choices(start=start)
        if not 0 <= glimpse_cost < math.inf:
            raise ValueError(f"glimpse_cost must be a number of at least 0, got {glimpse_cost!r}")
        self.count_time(int(num_glimpses))
        self.start = start
        self.may_stop, self.glimpse_cost = bool(stop), float(glimpse_cost)
        self.stops = self.stops or self.may_stop
        self.gazes = ("random", "centre", "grid", "oracle") if saccades == "absolute" else ()

    def look(
        self,
        channels: int,
        size: tuple[int, int],
        answer: spaces.Space,
        role: str,
        cells: Any = None,
        *,
        bare: bool = False,
        parts: dict[str, tuple[str, spaces.Space]] | None = None,
    ) -> None:
        """Set the spaces and roles.

        Args:
            channels: of a canvas.
            size: (height, width) of a canvas.
            answer: the space of an answer.
            role: the role of an answer.
            cells: the argument `overview`, as `checked_overview` takes it.
            bare: as `see` takes it.
            parts: role and space of each further part of the observation.

        Raises:
            ValueError: for a canvas that is too large for a table, or an overview that does not suit it.
        """
        self.see(channels, size, parts or {}, answer, role, cells, bare=bare)
        if self.may_stop:
            self.action_space = spaces.Dict({**self.action_space.spaces, "stop": spaces.Discrete(2)})
            self.action_roles = {**self.action_roles, "stop": "stop"}

    def measures(self) -> dict[str, Any]:
        """What a glimpse costs, too."""
        return {**super().measures(), "glimpse_cost": self.glimpse_cost}

    @abstractmethod
    def scenes(self, seeds: Array, episodes: Array) -> tuple[Array, Array]:
        """The canvases (N, C, H, W) uint8 of these episodes and their right answers (N, …), for (N,) int64 each."""

    @abstractmethod
    def target_boxes(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        ...

    def right(self, answer: Array, target: Array) -> Array:
        """(N,) bool, whether answers are right; of several bits, whether all are."""
        same = answer == target
        return same if same.ndim == 1 else self.backend.xp.all(same, axis=1)

    def shown(self, seeds: Array, episodes: Array) -> tuple[State, Array]:
        """What these episodes show, (N,) int64 each: what glimpses are taken from, and the overview where there is one;
        and the right answers (N, …)."""
        canvas, target = self.scenes(seeds, episodes)
        return self.presented(canvas), target

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp, n = self.backend.xp, seeds.shape[0]
        shown, target = self.shown(seeds, episodes)
        path = xp.zeros((n, self.horizon + 1, 2), dtype=xp.float32, device=self.backend.device)
        if self.start == "random":
            path[:, 0] = uniform(draw_words(seeds, episodes, 2, START_STREAM)) * 2 - 1
        return {
            "seed": self.backend.copy(seeds),
            "episode": self.backend.copy(episodes),
            **shown,
            "target": target,
            "location": self.backend.copy(path[:, 0]),
            "time": xp.zeros_like(episodes),
            "path": path,
        }

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        return self.observation(state)

    def moved(self, state: State, action: dict[str, Array]) -> tuple[State, Array]:
        """The state after the gaze has moved, and whether that was the last step, (N,) bool."""
        xp = self.backend.xp
        time = self.backend.clip(state["time"] + 1, 0, self.horizon)  # rows that are over wait for their reset
        terminated = time >= self.horizon
        if self.may_stop:
            terminated = terminated | (action["stop"] == 1)
        location = xp.where(terminated[:, None], state["location"], self.fixated(state, action))
        state["path"][self.backend.rows(time.shape[0]), time] = location
        return {**state, "time": time, "location": location}, terminated

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        after, terminated = self.moved(state, action)
        correct = self.right(action["answer"], state["target"])
        reward = self.backend.xp.astype(correct & terminated, self.backend.xp.float32) - self.glimpse_cost
        return Outcome(after, reward, terminated, {**self.info(state), "scored": terminated, "correct": correct})

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {"target": self.backend.copy(state["target"])}

    def canvas(self, seed: int, episode: int) -> np.ndarray:  # noqa: D102
        seeds, episodes = (self.backend.asarray([number], "int64") for number in (seed, episode))
        return self.backend.to_numpy(self.scenes(seeds, episodes)[0][0]).transpose(1, 2, 0)

    def render(self, state: State, row: int, mode: str) -> np.ndarray:  # noqa: D102
        seen = min(int(state["time"][row]) + 1, self.horizon)
        path = self.backend.to_numpy(state["path"][row])[:seen]
        return draw_gaze(self.canvas(int(state["seed"][row]), int(state["episode"][row])), path, self.retina)

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "oracle": the middle of what is to be recognised, at every glimpse, of several things in turn from left to
        right; clipped to the canvas."""
        xp, boxes = self.backend.xp, self.target_boxes(seeds, episodes)
        boxes = boxes[:, None] if boxes.ndim == 2 else boxes
        middle = self.backend.clip(self.middles(boxes), -1.0, 1.0)
        order = xp.argsort(middle[..., 0], axis=1, stable=True)
        turn = order[:, self.backend.rows(self.horizon - 1) % middle.shape[1]]
        return middle[self.backend.rows(middle.shape[0])[:, None], turn]

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """Saccades and entropy; coverage; where what is to be recognised does not fill the canvas, the share of hits on
        it.

        Fixations off the image are those on the canvas's edge, and those on the padding where there is padding.
        """
        metrics, boxes = super().path_metrics(path, seeds, episodes), None
        if not self.fills_canvas:
            numbers = (self.backend.asarray(array) for array in (seeds, episodes))
            boxes = self.backend.to_numpy(self.target_boxes(*numbers))
        metrics["attention/coverage"] = coverage(path, self.canvas_size, self.retina)
        metrics["attention/off_image"] = off_image(path, boxes if self.padded else None, self.canvas_size)
        if boxes is not None:
            metrics["attention/target_hit_rate"] = hit_rate(path, boxes, self.canvas_size)
        return metrics
