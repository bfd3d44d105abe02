"""What all tasks have in common that show canvases through glimpses: the retina, the overview, the spaces."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal

from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.image_ops import image_ops
from glimpse_env.overview import checked_overview, overview
from glimpse_env.retina import Retina, check_size
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
    """

    canvas_size: tuple[int, int]
    retina: Retina

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
        tables: bool = True,
    ) -> None:
        """Set the spaces and roles.

        Args:
            channels: of a canvas.
            size: (height, width) of a canvas.
            parts: role and space of each part of the observation beside the glimpse, the place and the clock.
            answer: the space of an answer.
            role: the role of an answer.
            cells: the argument `overview`, as `checked_overview` takes it.
            tables: whether each episode has a canvas and a table of its sums.

        Raises:
            ValueError: for a canvas that is too large for a table, or an overview that does not suit it.
        """
        self.canvas_size, self.cells = size, checked_overview(cells, size)
        if tables:
            check_size(size)
            self.row_bytes = channels * (size[0] * size[1] + 4 * (size[0] + 1) * (size[1] + 1))
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

    def summed(self, canvas: Array) -> State:
        """What glimpses of canvases (N, C, H, W) uint8 are taken from, and the overview where there is one."""
        table = self.ops.summed_area_table(canvas)
        return {"table": table, **({} if self.cells is None else {"overview": overview(table, self.cells)})}

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
