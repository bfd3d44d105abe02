"""The retina: square patches at doubling widths around one point, cheap at every scale and image size.

A glimpse (Mnih et al. 2014, section 3.1, "retina-like representation") is a pyramid of `scales` windows around
the fixation. The window of scale s is 2**s times as wide as the first, and is box-averaged back to the size of
the first, so it is sharp at the fixation and coarse around it.

The averages come from a summed-area table (Crow 1984) built once per episode: each cell costs four look-ups,
however many pixels it covers and however large the image is. Of a large image, of which a few glimpses see little, no
table is built but that of the widest window, glimpse by glimpse (`glimpse_of_images`). Compiled, there are no tables at
all (`glimpse_env.compiled_retina`). Sums are integers until the last division, so all ways, NumPy and torch agree bit
for bit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from array_api_compat import array_namespace, device

from glimpse_env.rng import Array

MAX_PIXELS = 2**31 // 255
"""A summed-area table is int32: a larger image could overflow it."""


MAX_SCALES = 12
"""Scales of a glimpse without a table of the whole image: the sum of a cell of one more could overflow int32."""

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
        """This retina, if its sizes are valid.

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


def check_size(canvas: tuple[int, ...]) -> None:
    """Refuse a canvas (N, C, H, W) of more than `MAX_PIXELS`.

    Raises:
        ValueError: for one that is too large.
    """
    height, width = canvas[-2:]
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"image of {height} x {width} pixels is too large for an int32 table; make it smaller (size=, resize=)"
        )


def summed_area_table(canvas: Array) -> Array:
    """Inclusive prefix sums with a leading row and column of zeros.

    Args:
        canvas: (N, C, H, W) uint8, or integers in [0, 255], with H * W at most `MAX_PIXELS`.

    Returns:
        (N, C, H + 1, W + 1) int32; entry [y, x] is the sum of canvas[:y, :x].
    """
    check_size(canvas.shape)
    xp = array_namespace(canvas)
    n, channels, height, width = canvas.shape
    table = xp.zeros((n, channels, height + 1, width + 1), dtype=xp.int32, device=device(canvas))
    table[:, :, 1:, 1:] = canvas
    if n * channels * width > ROW_BY_ROW and str(device(canvas)) == "cpu":
        for row in range(2, height + 1):
            table[:, :, row] += table[:, :, row - 1]
    else:
        table = xp.cumulative_sum(table, axis=2, dtype=xp.int32)
    return xp.cumulative_sum(table, axis=3, dtype=xp.int32)


class Lens(NamedTuple):
    """What a retina's arithmetic on images of one size needs, and no fixation changes. A cell has two edges.

    Attributes:
        axis: (E,) int64, 0 for the edges across and 1 for those down.
        offsets: (E,) int64, the edges' distances from the fixation in pixels: across, then down, finest scale first.
        limits: (E,) int64, the last edge within the image.
        zeros: (E,) int64, the first.
        whites: (scales, 1, 1, 1) float32, the sum over a white cell.
    """

    axis: Array
    offsets: Array
    limits: Array
    zeros: Array
    whites: Array


@lru_cache(maxsize=64)
def _lens(retina: Retina, image: tuple[int, int], xp: Any, where: Any) -> Lens:
    """The lens of this retina for images of (height, width), in a namespace and on a device."""
    axis, offsets, limits = [], [], []
    for number, (cells, size) in enumerate(zip(reversed(retina.patch), reversed(image), strict=True)):
        for scale in range(retina.scales):
            offsets += [(step << scale) - ((cells << scale) >> 1) for step in range(cells + 1)]
        axis += [number] * (retina.scales * (cells + 1))
        limits += [size] * (retina.scales * (cells + 1))
    whites = [[[[float(255 << (2 * scale))]]] for scale in range(retina.scales)]
    return Lens(
        xp.asarray(axis, dtype=xp.int64, device=where),
        xp.asarray(offsets, dtype=xp.int64, device=where),
        xp.asarray(limits, dtype=xp.int64, device=where),
        xp.zeros(len(limits), dtype=xp.int64, device=where),
        xp.asarray(whites, dtype=xp.float32, device=where),
    )


@lru_cache(maxsize=64)
def _half(image: tuple[int, int], xp: Any, where: Any) -> Array:
    """Half of the image's (width, height), (2,) float32."""
    return xp.asarray([image[1] / 2, image[0] / 2], dtype=xp.float32, device=where)


def fixation_pixel(location: Array, image: tuple[int, int]) -> Array:
    """The pixel corner nearest to a location.

    Args:
        location: (N, 2) float32 (x right, y down), where -1 is the left or top edge and 1 the right or bottom.
        image: (height, width) in pixels.

    Returns:
        (N, 2) int32 (x, y) with x in [0, width], y in [0, height].
    """
    xp = array_namespace(location)
    return xp.astype(xp.floor((location + 1) * _half(image, xp, device(location)) + 0.5), xp.int32)


def glimpse(table: Array, location: Array, retina: Retina) -> Array:
    """The retina's patches at `location`; zero outside the image.

    Args:
        table: (N, C, H + 1, W + 1) int32, from `summed_area_table`.
        location: (N, 2) float32 (x right, y down) in [-1, 1].
        retina: patch size and number of scales.

    Returns:
        (N, scales, C, patch height, patch width) float32 in [0, 1]: means over blocks of 2**s by 2**s pixels.
    """
    image = table.shape[2] - 1, table.shape[3] - 1
    return _means(table, _edges(location, image, retina), image, retina)


def glimpse_of_images(images: Array, index: Array, location: Array, retina: Retina) -> Array:
    """As `glimpse`, of images without tables: bit for bit the same. It reads the pixels of the widest windows.

    Args:
        images: (M, C, H, W) uint8, of any size.
        index: (N,) int64, which image each row looks at.
        location: (N, 2) float32 (x right, y down) in [-1, 1].
        retina: patch size and number of scales, at most `MAX_SCALES`.
    """
    xp, image = array_namespace(images), (images.shape[2], images.shape[3])
    edges, across = _edges(location, image, retina), retina.scales * (retina.patch[1] + 1)
    seen = []
    for row, number in enumerate(index.tolist()):
        x, y = edges[row : row + 1, :across], edges[row : row + 1, across:]
        left, right, top, bottom = int(x.min()), int(x.max()), int(y.min()), int(y.max())
        table = summed_area_table(images[number : number + 1, :, top:bottom, left:right])
        seen.append(_means(table, xp.concat([x - left, y - top], axis=1), image, retina))
    return xp.concat(seen)


def _edges(location: Array, image: tuple[int, int], retina: Retina) -> Array:
    """(N, E) int64, the edges of all cells in pixels, in the order of a `Lens`, clamped into the image."""
    xp = array_namespace(location)
    lens, centre = _lens(retina, image, xp, device(location)), fixation_pixel(location, image)
    # An array of zeros, because torch has no `maximum` with a number.
    return xp.maximum(xp.minimum(centre[:, lens.axis] + lens.offsets, lens.limits), lens.zeros)


def _means(table: Array, edges: Array, image: tuple[int, int], retina: Retina) -> Array:
    """The patches (N, scales, C, patch height, patch width) between these edges (N, E) of a table."""
    xp, where = array_namespace(table), device(table)
    n, channels, rows, columns = table.shape
    lens, across = _lens(retina, image, xp, where), retina.scales * (retina.patch[1] + 1)
    x = edges[:, :across].reshape(n, retina.scales, 1, 1, retina.patch[1] + 1)
    y = edges[:, across:].reshape(n, retina.scales, 1, retina.patch[0] + 1, 1)
    plane = xp.arange(0, n * channels * rows * columns, rows * columns, dtype=xp.int64, device=where)
    index = (plane.reshape(n, 1, channels, 1, 1) + y * columns) + x  # all int64: mixed types add more slowly
    corners = xp.take(table.reshape(-1), index.reshape(-1), axis=0).reshape(index.shape)
    sums = corners[..., 1:, :] - corners[..., :-1, :]
    sums = sums[..., 1:] - sums[..., :-1]
    # An array of divisors, not a Python scalar: CUDA turns division by a scalar into multiplication by its reciprocal.
    return xp.astype(sums, xp.float32) / lens.whites
