"""A coarse overview of a whole canvas: means over a grid of cells that covers it."""

from __future__ import annotations

import operator
from functools import lru_cache
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from glimpse_env.rng import Array


def checked_overview(value: Any, canvas: tuple[int, int]) -> tuple[int, int] | None:
    """(rows, columns) of the overview of a canvas (height, width); None for None.

    Args:
        value: both numbers; or one, that of the longer side, and the cells are as square as can be.

    Raises:
        ValueError: for anything else, or more cells than pixels.
    """
    if value is None:
        return None
    height, width = canvas
    try:
        if isinstance(value, Integral):
            longest = int(value) if 1 <= int(value) <= max(canvas) else 0
            rows, columns = (max(min(1, longest), round(longest * side / max(canvas))) for side in canvas)
        else:
            rows, columns = map(operator.index, value)
    except (TypeError, ValueError):
        rows = columns = 0
    if not (1 <= rows <= height and 1 <= columns <= width):
        raise ValueError(
            f"overview is (rows, columns) of at least 1 and at most the canvas' {canvas}, or the number of cells along "
            f"its longer side; got {value!r}: take fewer cells, or a larger canvas"
        )
    return rows, columns


def cell_edges(cells: tuple[int, int], canvas: tuple[int, int]) -> list[list[int]]:
    """Where the cells begin and end, down and across, in pixels."""
    return [[number * side // count for number in range(count + 1)] for count, side in zip(cells, canvas, strict=True)]


@lru_cache(maxsize=64)
def _grid(cells: tuple[int, int], canvas: tuple[int, int], xp: Any, where: Any) -> tuple[Array, Array]:
    """Where the corners of the cells are in a plane of the table, ((rows + 1) (columns + 1),) int64, and 255 times the
    pixels of each cell, (rows, columns) float32."""
    down, across = cell_edges(cells, canvas)
    whites = [[255.0 * (b - a) * (d - c) for c, d in pairwise(across)] for a, b in pairwise(down)]
    corners = [y * (canvas[1] + 1) + x for y in down for x in across]
    return xp.asarray(corners, dtype=xp.int64, device=where), xp.asarray(whites, dtype=xp.float32, device=where)


def overview(table: Array, cells: tuple[int, int]) -> Array:
    """The means over the cells of a grid that covers the canvas. A cell begins and ends at whole pixels.

    Args:
        table: (N, C, H + 1, W + 1) int32, from `glimpse_env.retina.summed_area_table`.
        cells: (rows, columns), at most (H, W).

    Returns:
        (N, C, rows, columns) float32 in [0, 1].
    """
    xp = array_namespace(table)
    n, channels, height, width = table.shape
    index, whites = _grid(cells, (height - 1, width - 1), xp, device(table))
    corners = xp.take(table.reshape(n * channels, height * width), index, axis=1)
    corners = corners.reshape(n, channels, cells[0] + 1, cells[1] + 1)
    sums = corners[:, :, 1:] - corners[:, :, :-1]
    return xp.astype(sums[..., 1:] - sums[..., :-1], xp.float32) / whites


def overview_of_images(images: Array, index: Array, cells: tuple[int, int]) -> Array:
    """As `overview`, of images without tables: bit for bit the same, since the sums are whole numbers.

    Args:
        images: (M, C, H, W) uint8 on the host, of any size.
        index: (N,) int64, which image each row shows.
        cells: (rows, columns), at most (H, W).
    """
    xp, size = array_namespace(images), (images.shape[2], images.shape[3])
    _, whites = _grid(cells, size, xp, device(images))
    down, across = cell_edges(cells, size)
    seen = []
    for number in index.tolist():
        pixels = np.asarray(images[number])
        rows = np.stack([pixels[:, a:b].sum(axis=1, dtype=np.uint32) for a, b in pairwise(down)], axis=1)
        seen.append(np.add.reduceat(rows, across[:-1], axis=2, dtype=np.int64).astype(np.float32))
    return xp.asarray(np.stack(seen), device=device(images)) / whites
