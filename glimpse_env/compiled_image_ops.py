"""Scenes, moved pictures and glimpses, compiled by Numba for the host: the plain functions' numbers, bit for bit.

The plain functions (`paint` of `glimpse_env.scenes`, `moved` of `glimpse_env.affine`, `glimpse_env.retina`) build large
index arrays and read them again; here each cell is summed where it is needed. Numba is an extra (`pip install
'glimpse-env[fast]'`): where it is missing the plain functions do the work.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from glimpse_env.affine import BITS
from glimpse_env.compiler import loop, part
from glimpse_env.retina import Retina, check_size
from glimpse_env.rng import Array
from glimpse_env.scenes import Blend, Plan, SceneConfig

CACHED = 2**17
"""Entries of a table that a processor's own cache is sure to hold."""

LINE = 16
"""Entries of a cache line."""


def array_of(kind: types.Type, dimensions: int, readonly: bool = True) -> types.Array:
    """The type of a contiguous array. Any such array may be passed as one that is only read."""
    return types.Array(kind, dimensions, "C", readonly=readonly)


@loop(types.void(array_of(types.uint8, 4), array_of(types.int32, 4, readonly=False)))
def _accumulate(canvas: Any, table: Any) -> None:
    for n in range(canvas.shape[0]):
        for channel in range(canvas.shape[1]):
            pixels, sums = canvas[n, channel], table[n, channel]
            sums[0, :] = 0
            for y in range(pixels.shape[0]):
                row = np.int32(0)
                sums[y + 1, 0] = 0
                for x in range(pixels.shape[1]):
                    row += np.int32(pixels[y, x])
                    sums[y + 1, x + 1] = sums[y, x + 1] + row


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
    half_x, half_y = np.float32((columns - 1) / 2), np.float32((rows - 1) / 2)
    x = np.floor((location[n, 0] + np.float32(1)) * half_x + np.float32(0.5))
    y = np.floor((location[n, 1] + np.float32(1)) * half_y + np.float32(0.5))
    return np.int64(x), np.int64(y)


@part
def _fetch(flat: Any, table: Any, location: Any, n: int, scales: int, height: int, width: int) -> None:
    """Prefetch what the glimpse of row n will read, of its first channel."""
    _, channels, rows, columns = table.shape
    x, y = _centre(location, n, rows, columns)
    for scale in range(scales):
        half = (width << scale) >> 1
        left, right = min(max(x - half, 0), columns - 1), min(max(x + half, 0), columns - 1)
        for i in range(height + 1):
            row = min(max(y + (i << scale) - ((height << scale) >> 1), 0), rows - 1)
            for column in range(left, right + LINE, LINE):
                _prefetch(flat, (n * channels * rows + row) * columns + min(column, right))  # type: ignore[call-arg]


@loop(types.void(array_of(types.int32, 4), array_of(types.float32, 2), array_of(types.float32, 5, readonly=False)))
def _look(table: Any, location: Any, seen: Any) -> None:
    count, channels, rows, columns = table.shape
    _, scales, _, height, width = seen.shape
    edges, flat = np.empty(width + 1, np.int64), table.reshape(-1)
    far = table.size > CACHED  # then memory is what costs: ask for a row's sums while the row before is added up
    for n in range(count):
        if far and n == 0:
            _fetch(flat, table, location, 0, scales, height, width)
        if far and n + 1 < count:
            _fetch(flat, table, location, n + 1, scales, height, width)
        centre_x, centre_y = _centre(location, n, rows, columns)
        for scale in range(scales):
            white, step = np.float32(255 << (2 * scale)), 1 << scale
            for j in range(width + 1):
                edges[j] = min(max(centre_x + j * step - ((width << scale) >> 1), 0), columns - 1)
            for channel in range(channels):
                for i in range(height):
                    y = centre_y + i * step - ((height << scale) >> 1)
                    above = table[n, channel, min(max(y, 0), rows - 1)]
                    below = table[n, channel, min(max(y + step, 0), rows - 1)]
                    before = below[edges[0]] - above[edges[0]]
                    for j in range(width):
                        after = below[edges[j + 1]] - above[edges[j + 1]]
                        seen[n, scale, channel, i, j] = np.float32(after - before) / white
                        before = after


@part
def _paste(canvas: Any, top: int, left: int, image: Any, window: Any, blend: int) -> None:
    """Blend the window (y, x, height, width) of an image onto a canvas, as far as it is inside."""
    _, height, width = canvas.shape
    first, last = max(0, -left), min(window[3], width - left)
    for channel in range(canvas.shape[0]):
        for y in range(max(0, -top), min(window[2], height - top)):
            below = canvas[channel, top + y, left + first : left + last]
            above = image[channel, window[0] + y, window[1] + first : window[1] + last]
            if blend == 0:
                for x in range(len(above)):
                    below[x] = min(np.int32(below[x]) + np.int32(above[x]), 255)
            elif blend == 1:
                for x in range(len(above)):
                    below[x] = max(below[x], above[x])
            else:
                for x in range(len(above)):
                    below[x] = above[x] if above[x] else below[x]


@loop(
    types.void(
        *(array_of(types.uint8, 4), types.Tuple([array_of(types.int64, dimensions) for dimensions in (1, 2, 2, 3, 3)])),
        *(types.UniTuple(types.int64, 2), types.int64, array_of(types.uint8, 4, readonly=False)),
    )
)
def _paint(images: Any, scheme: Any, piece: Any, blend: int, canvas: Any) -> None:
    index, position, other, source, target = scheme
    for n in range(canvas.shape[0]):
        for k in range(other.shape[1]):
            window = (source[n, k, 1], source[n, k, 0], piece[0], piece[1])
            _paste(canvas[n], target[n, k, 1], target[n, k, 0], images[other[n, k]], window, blend)
        whole = (0, 0, images.shape[2], images.shape[3])
        _paste(canvas[n], position[n, 1], position[n, 0], images[index[n]], whole, blend)


@loop(
    types.void(
        *(array_of(types.uint8, 3), array_of(types.int64, 1), array_of(types.int64, 3)),
        array_of(types.uint8, 3, readonly=False),
    )
)
def _move(pictures: Any, index: Any, move: Any, result: Any) -> None:
    last = pictures.shape[1] - 1
    centre = last - 2
    for n in range(len(result)):
        picture, rows = pictures[index[n]], move[n]
        offset_x, offset_y = (rows[0, 2] + ((centre + 3) << BITS), rows[1, 2] + ((centre + 3) << BITS))
        for i in range(result.shape[1]):
            down = 2 * i - centre
            for j in range(result.shape[2]):
                across = 2 * j - centre
                x = (rows[0, 0] * across + rows[0, 1] * down + offset_x) >> (BITS + 1)
                y = (rows[1, 0] * across + rows[1, 1] * down + offset_y) >> (BITS + 1)
                result[n, i, j] = picture[min(max(y, 0), last), min(max(x, 0), last)]


def paint(images: Array, scheme: Plan, config: SceneConfig) -> Array:
    """As `glimpse_env.scenes.paint`, for NumPy arrays or tensors on the CPU."""
    canvas = np.zeros((scheme.index.shape[0], images.shape[1], *config.size), np.uint8)
    arrays = tuple(np.ascontiguousarray(array) for array in scheme)
    _paint(np.ascontiguousarray(images), arrays, config.piece_size, get_args(Blend).index(config.blend), canvas)
    return like(images, canvas)


def summed_area_table(canvas: Array) -> Array:
    """As `glimpse_env.retina.summed_area_table`, for a NumPy array or a tensor on the CPU."""
    check_size(canvas.shape)
    n, channels, height, width = canvas.shape
    table = np.empty((n, channels, height + 1, width + 1), np.int32)
    _accumulate(np.ascontiguousarray(canvas), table)
    return like(canvas, table)


def glimpse(table: Array, location: Array, retina: Retina) -> Array:
    """As `glimpse_env.retina.glimpse`, for NumPy arrays or tensors on the CPU."""
    seen = np.empty((table.shape[0], retina.scales, table.shape[1], *retina.patch), np.float32)
    _look(np.ascontiguousarray(table), np.ascontiguousarray(location), seen)
    return like(table, seen)


def moved(pictures: Array, index: Array, move: Array) -> Array:
    """As `glimpse_env.affine.moved`, for NumPy arrays or tensors on the CPU."""
    side = pictures.shape[1] - 2
    result = np.empty((len(index), side, side), np.uint8)
    _move(*(np.ascontiguousarray(array) for array in (pictures, index, move)), result)
    return like(pictures, result)


def like(example: Array, array: np.ndarray) -> Array:
    """`array` as it is, or as a tensor of the same memory."""
    if isinstance(example, np.ndarray):
        return array
    import torch

    return torch.from_numpy(array)
