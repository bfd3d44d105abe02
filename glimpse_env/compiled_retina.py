"""Glimpses and overviews, compiled by Numba for the host: the plain functions' numbers, bit for bit.

The plain functions (`glimpse_env.retina`, `glimpse_env.overview`) need a table of the sums of each canvas, four times
its bytes. Here the pixels of a window are added up where they are: an episode needs no more than its canvas, and what a
glimpse costs depends on that by the caches alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from glimpse_env.compiled_arrays import array_of, like
from glimpse_env.compiler import loop, part
from glimpse_env.overview import cell_edges
from glimpse_env.retina import Retina
from glimpse_env.rng import Array

CACHED = 2**19
"""Bytes of images that a processor's own cache is sure to hold."""

LINE = 64
"""Bytes of a cache line."""


@intrinsic
def _prefetch(_: Any, array: Any, index: Any) -> Any:
    """Ask the processor for an element of a flat array, and do not wait for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        builder.call(fetch, [address, word(0), word(3), word(1)])  # to be read, often, as data
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@part
def _centre(location: Any, n: int, rows: int, columns: int) -> Any:
    """(x, y) as `glimpse_env.retina.fixation_pixel` has it; float32 throughout."""
    half_x, half_y = np.float32(columns / 2), np.float32(rows / 2)
    x = np.floor((location[n, 0] + np.float32(1)) * half_x + np.float32(0.5))
    y = np.floor((location[n, 1] + np.float32(1)) * half_y + np.float32(0.5))
    return np.int64(x), np.int64(y)


@part
def _fetch(flat: Any, plane: int, rows: int, columns: int, centre: Any, height: int, width: int) -> None:
    """Prefetch the pixels of a window of this height and width in a plane of a flat array of images."""
    left, top = centre[0] - (width >> 1), centre[1] - (height >> 1)
    first, last = max(left, 0), min(left + width, columns) - 1
    for y in range(max(top, 0), min(top + height, rows)):
        for x in range(first, last + LINE, LINE):
            _prefetch(flat, (plane * rows + y) * columns + min(x, last))  # type: ignore[call-arg]


@part
def _add(sums: Any, first: int, flat: Any, start: int, count: int) -> None:
    """Add `count` pixels from `start` on to sums from `first` on. Numba takes numbers without a sign as they are: those
    with one might count from the end, and such a loop is not vectorised."""
    for x in range(np.uint64(count)):
        sums[np.uint64(first) + x] += np.int32(flat[np.uint64(start) + x])


@loop(
    types.void(
        *(array_of(types.uint8, 4), array_of(types.int64, 1), array_of(types.float32, 2)),
        array_of(types.float32, 5, readonly=False),
    )
)
def _look(images: Any, index: Any, location: Any, seen: Any) -> None:
    _, channels, rows, columns = images.shape
    count, scales, _, height, width = seen.shape
    tall, wide = height << (scales - 1), width << (scales - 1)  # the widest window
    flat, sums = images.reshape(-1), np.empty(wide, np.int32)
    far = (
        images.size > CACHED
    )  # then memory costs the most: ask for the next row's pixels before this one's are added up
    for n in range(count):
        if far and n + 1 < count:
            plane = index[n + 1] * channels
            _fetch(flat, plane, rows, columns, _centre(location, n + 1, rows, columns), tall, wide)
        centre_x, centre_y = _centre(location, n, rows, columns)
        for scale in range(scales):
            white, step, across = np.float32(255 << (2 * scale)), 1 << scale, width << scale
            left, top = centre_x - (across >> 1), centre_y - ((height << scale) >> 1)
            first, last = min(max(-left, 0), across), max(min(columns - left, across), 0)
            for channel in range(channels):
                for i in range(height):
                    sums[:across] = 0
                    if first < last:
                        for y in range(max(top + i * step, 0), min(top + (i + 1) * step, rows)):
                            start = ((index[n] * channels + channel) * rows + y) * columns + left + first
                            _add(sums, first, flat, start, last - first)
                    for level in range(1, scale + 1):  # the columns of a cell, pair by pair
                        for x in range(across >> level):
                            sums[x] = sums[2 * x] + sums[2 * x + 1]
                    for j in range(width):
                        seen[n, scale, channel, i, j] = np.float32(sums[j]) / white


@loop(
    types.void(
        *(array_of(types.uint8, 4), array_of(types.int64, 1), array_of(types.int64, 1), array_of(types.int64, 1)),
        array_of(types.float32, 4, readonly=False),
    )
)
def _survey(images: Any, index: Any, down: Any, across: Any, seen: Any) -> None:
    _, channels, rows, columns = images.shape
    flat, sums = images.reshape(-1), np.empty(columns, np.int32)
    for n in range(len(seen)):
        for channel in range(channels):
            for i in range(len(down) - 1):
                sums[:] = 0
                for y in range(down[i], down[i + 1]):
                    _add(sums, 0, flat, ((index[n] * channels + channel) * rows + y) * columns, columns)
                for j in range(len(across) - 1):
                    total = np.int64(0)
                    for x in range(across[j], across[j + 1]):
                        total += sums[x]
                    white = np.float32(255.0 * (down[i + 1] - down[i]) * (across[j + 1] - across[j]))
                    seen[n, channel, i, j] = np.float32(total) / white


def glimpse_of_images(images: Array, index: Array, location: Array, retina: Retina) -> Array:
    """As `glimpse_env.retina.glimpse_of_images`, for NumPy arrays or tensors on the CPU."""
    seen = np.empty((len(index), retina.scales, images.shape[1], *retina.patch), np.float32)
    _look(*(np.ascontiguousarray(array) for array in (images, index, location)), seen)
    return like(images, seen)


def overview_of_images(images: Array, index: Array, cells: tuple[int, int]) -> Array:
    """As `glimpse_env.overview.overview_of_images`, for NumPy arrays or tensors on the CPU."""
    seen = np.empty((len(index), images.shape[1], *cells), np.float32)
    down, across = (np.array(edges, np.int64) for edges in cell_edges(cells, (images.shape[2], images.shape[3])))
    _survey(*(np.ascontiguousarray(array) for array in (images, index)), down, across, seen)
    return like(images, seen)
