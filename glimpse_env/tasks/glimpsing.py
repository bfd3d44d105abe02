"""What all tasks have in common that show canvases through glimpses: the retina, the overview, the spaces."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.image_ops import image_ops
from glimpse_env.overview import checked_overview, overview
from glimpse_env.retina import MAX_SCALES, Retina, check_size, glimpse, summed_area_table
from glimpse_env.rng import Array
from glimpse_env.tasks.arguments import check_choices
from glimpse_env.tasks.base import Task, box
from glimpse_env.tasks.records import State


class GlimpseTask(Task):
    """A task whose canvases are seen through glimpses.

    Attributes:
        ops: the loops over pixels.
        canvas_size: (height, width) of every canvas.
        cells: (rows, columns) of the overview of the present canvas; None without one.
        clock: (horizon + 1, 1) float32, the part "time" of the observation at each time.
        tables: whether glimpses are taken from tables of the canvases' sums, or else from the canvases themselves.
    """

    canvas_size: tuple[int, int]
    retina: Retina
    clock: Array

    def __init__(
        self, backend: Backend, *, patch: int | tuple[int, int], scales: int, saccades: Literal["absolute", "relative"]
    ) -> None:
        super().__init__(backend)
        check_choices(saccades=saccades)
        self.saccades, self.ops = saccades, image_ops(backend)
        self.retina = Retina(pair(patch), scales).checked()

    def see(
        self,
        channels: int,
        size: tuple[int, int],
        parts: dict[str, tuple[str, spaces.Space]],
        answer: spaces.Space,
        role: str,
        cells: Any,
        *,
        bare: bool = False,
    ) -> None:
        """Set the spaces and roles, and what an episode takes.

        Args:
            channels: of a canvas.
            size: (height, width) of a canvas.
            parts: role and space of each part of the observation beside the glimpse, the place and the clock.
            answer: the space of an answer.
            role: the role of an answer.
            cells: the argument `overview`, as `checked_overview` takes it.
            bare: whether canvases are images of the task's own, of which an episode needs no copy.

        Raises:
            ValueError: for a canvas that is too large for a table, or an overview that does not suit it.
        """
        self.canvas_size, self.cells = size, checked_overview(cells, size)
        self.tables = self.wants_tables(size)
        if self.tables:
            check_size(size)
        if self.tables or not bare:
            sums = 4 * (size[0] + 1) * (size[1] + 1) if self.tables else 0
            self.row_bytes = channels * (size[0] * size[1] + sums)
        seen = {
            "glimpse": ("glimpse", box(0, 1, (self.retina.scales, channels, *self.retina.patch))),
            "location": ("place", box(-1, 1, (2,))),
            **parts,
            "time": ("clock", box(0, 1, (1,))),
        }
        if self.cells is not None:
            seen["overview"] = ("overview", box(0, 1, (channels, *self.cells)))
        self.roles = {name: role for name, (role, _) in seen.items()}
        self.observation_space = spaces.Dict({name: space for name, (_, space) in seen.items()})
        self.action_roles = {"location": "place" if self.saccades == "absolute" else "saccade", "answer": role}
        self.action_space = spaces.Dict({"location": box(-1, 1, (2,)), "answer": answer})

    def count_time(self, horizon: int) -> None:
        """Set the horizon and the clock."""
        self.horizon = horizon
        self.clock = self.backend.asarray(np.arange(horizon + 1)[:, None] / horizon, "float32")

    def wants_tables(self, size: tuple[int, int]) -> bool:
        """The attribute `tables` for canvases of (height, width) `size`."""
        return not self.ops.compiled or self.retina.scales > MAX_SCALES

    def presented(self, canvas: Array) -> State:
        """What glimpses of canvases (N, C, H, W) uint8 are taken from, and the overview where there is one."""
        if self.tables:
            table = summed_area_table(canvas)
            return {"source": table, **({} if self.cells is None else {"overview": overview(table, self.cells)})}
        if self.cells is None:
            return {"source": canvas}
        rows = self.backend.rows(canvas.shape[0])
        return {"source": canvas, "overview": self.ops.overview_of_images(canvas, rows, self.cells)}

    def glimpse(self, state: State) -> Array:
        """What the retina sees, (N, scales, C, height, width) float32 in [0, 1]."""
        if self.tables:
            return glimpse(state["source"], state["location"], self.retina)
        rows = self.backend.rows(state["location"].shape[0])
        return self.ops.glimpse_of_images(state["source"], rows, state["location"], self.retina)

    def observation(self, state: State, parts: dict[str, Array] | None = None) -> dict[str, Array]:
        """The observation, with these further parts."""
        seen = {
            "glimpse": self.glimpse(state),
            "location": self.backend.copy(state["location"]),
            **(parts or {}),
            "time": self.backend.xp.take(self.clock, state["time"], axis=0),
        }
        return seen if self.cells is None else {**seen, "overview": self.backend.copy(state["overview"])}

    def fixated(self, state: State, action: dict[str, Array]) -> Array:
        """Where the gaze is after an action, (N, 2) float32."""
        moved = action["location"] if self.saccades == "absolute" else state["location"] + action["location"]
        return self.backend.clip(moved, -1.0, 1.0)

    def middles(self, boxes: Array) -> Array:
        """Where the middles of boxes (…, 4) in pixels are, (…, 2) float32, x right, y down; -1 and 1 are the edges."""
        size = self.backend.asarray([self.canvas_size[1], self.canvas_size[0]], "float32")
        return self.backend.xp.astype(boxes[..., :2] + boxes[..., 2:], self.backend.xp.float32) / size - 1

    def measures(self) -> dict[str, Any]:
        """The width and height of a cell of the finest patch where a place is in [-1, 1]."""
        height, width = self.canvas_size
        return {"glimpse_cell": (2 / width, 2 / height)}


def pair(value: Any) -> tuple[int, int]:
    """(height, width) from one integer or two, of Python or NumPy.

    Raises:
        ValueError: for anything else.
    """
    try:
        height, width = (value, value) if isinstance(value, Integral) else value
    except (TypeError, ValueError):
        height = width = None
    if not (isinstance(height, Integral) and isinstance(width, Integral)):
        raise ValueError(f"size, patch and piece_size are one integer or two, (height, width), got {value!r}")
    return int(height), int(width)
