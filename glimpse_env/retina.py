"""The retina: square patches at doubling widths around one point, cheap at every scale and image size.

A glimpse (Mnih et al. 2014, section 3.1, "retina-like representation") is a pyramid of `scales` windows around
the fixation. The window of scale s is 2**s times as wide as the first, and is box-averaged back to the size of
the first, so the eye sees sharply where it looks and coarsely around it.

The averages come from a summed-area table (Crow 1984) built once per episode: each cell costs four look-ups,
however many pixels it covers and however large the image is. Sums are integers until the last division, so
NumPy and torch agree bit for bit.
"""

from __future__ import annotations

from typing import NamedTuple

from array_api_compat import array_namespace, device

from glimpse_env.draws import Array

MAX_PIXELS = 2**31 // 255
"""A summed-area table is int32: a larger image could overflow it."""


ROW_BY_ROW = 2**12
"""Pixels of a row, over the batch, from which a processor adds whole rows faster than it strides down the columns."""


class Retina(NamedTuple):
    """The shape of a glimpse.

    Attributes:
        patch: (height, width) of a patch in cells, which are pixels at the first scale.
        scales: number of patches, each covering twice the width and height of the one before.
    """

    patch: tuple[int, int] = (12, 12)
    scales: int = 3

    def checked(self) -> Retina:
        """This retina, if it can see.

        Raises:
            ValueError: for a patch or a number of scales below one, or a window too wide for int32 coordinates.
        """
        if len(self.patch) != 2 or min(*self.patch, self.scales) < 1:
            raise ValueError(
                f"patch must be (height, width) of at least 1 and scales at least 1, got {self.patch} and {self.scales}"
            )
        if max(self.patch) << self.scales > 2**30:
            raise ValueError(f"a patch of {self.patch} at {self.scales} scales is too wide; use fewer scales")
        return self

    def windows(self, location: tuple[float, float], image: tuple[int, int]) -> list[tuple[int, int, int, int]]:
        """(left, top, right, bottom) in pixels of each scale's window, for drawing. Same rounding as `glimpse`."""
        import numpy as np

        centre = fixation_pixel(np.asarray([location], dtype=np.float32), image)[0]
        boxes = []
        for scale in range(self.scales):
            height, width = self.patch[0] << scale, self.patch[1] << scale
            left, top = int(centre[0]) - width // 2, int(centre[1]) - height // 2
            boxes.append((left, top, left + width, top + height))
        return boxes


def summed_area_table(canvas: Array) -> Array:
    """Inclusive prefix sums with a leading row and column of zeros.

    Args:
        canvas: (N, C, H, W) uint8, or integers in [0, 255], with H * W at most `MAX_PIXELS`.

    Returns:
        (N, C, H + 1, W + 1) int32; entry [y, x] is the sum of canvas[:y, :x].
    """
    xp = array_namespace(canvas)
    n, channels, height, width = canvas.shape
    if height * width > MAX_PIXELS:
        raise ValueError(f"image of {height} x {width} pixels is too large for an int32 table; make it smaller")
    table = xp.zeros((n, channels, height + 1, width + 1), dtype=xp.int32, device=device(canvas))
    table[:, :, 1:, 1:] = canvas
    if n * channels * width > ROW_BY_ROW and str(device(canvas)) == "cpu":
        for row in range(2, height + 1):
            table[:, :, row] += table[:, :, row - 1]
    else:
        table = xp.cumulative_sum(table, axis=2, dtype=xp.int32)
    return xp.cumulative_sum(table, axis=3, dtype=xp.int32)


def fixation_pixel(location: Array, image: tuple[int, int]) -> Array:
    """The pixel corner nearest to a location.

    Args:
        location: (N, 2) float32 (x right, y down), where -1 is the left or top edge and 1 the right or bottom.
        image: (height, width) in pixels.

    Returns:
        (N, 2) int32 (x, y) with x in [0, width], y in [0, height].
    """
    xp = array_namespace(location)
    x, y = (location[:, 0] + 1) * (image[1] / 2), (location[:, 1] + 1) * (image[0] / 2)
    return xp.astype(xp.floor(xp.stack([x, y], axis=-1) + 0.5), xp.int32)


def glimpse(table: Array, location: Array, retina: Retina) -> Array:
    """What the retina sees at `location`; outside the image it sees zero.

    Args:
        table: (N, C, H + 1, W + 1) int32, from `summed_area_table`.
        location: (N, 2) float32 (x right, y down) in [-1, 1].
        retina: patch size and number of scales.

    Returns:
        (N, scales, C, patch height, patch width) float32 in [0, 1]: means over blocks of 2**s by 2**s pixels.
    """
    xp = array_namespace(table, location)
    n, channels, rows, columns = table.shape
    where = device(table)
    centre = fixation_pixel(location, (rows - 1, columns - 1))

    def edges(cells: int, middle: Array, limit: int) -> Array:  # (N, scales, cells + 1), clamped into the image
        steps = xp.arange(cells + 1, dtype=xp.int32, device=where)[None, :]
        scale = xp.arange(retina.scales, dtype=xp.int32, device=where)[:, None]
        offsets = (steps << scale) - ((cells << scale) >> 1)
        return (middle[:, None, None] + offsets[None]).clip(0, limit)

    x = edges(retina.patch[1], centre[:, 0], columns - 1)
    y = edges(retina.patch[0], centre[:, 1], rows - 1)
    plane = xp.arange(n * channels, dtype=xp.int64, device=where) * (rows * columns)
    index = xp.reshape(plane, (n, 1, channels, 1, 1)) + (y * columns)[:, :, None, :, None] + x[:, :, None, None, :]
    corners = xp.reshape(xp.take(xp.reshape(table, (-1,)), xp.reshape(index, (-1,)), axis=0), index.shape)
    across = corners[..., 1:] - corners[..., :-1]
    sums = across[..., 1:, :] - across[..., :-1, :]
    # An array of divisors, not a Python scalar: CUDA turns division by a scalar into multiplication by its reciprocal.
    whites = 255 << (2 * xp.arange(retina.scales, dtype=xp.int64, device=where))
    return xp.astype(sums, xp.float32) / xp.reshape(xp.astype(whites, xp.float32), (retina.scales, 1, 1, 1))
