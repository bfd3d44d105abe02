"""Scenes and moved pictures, compiled by Numba for the host: the plain functions' numbers, bit for bit.

The plain functions (`paint` of `glimpse_env.scenes`, `moved` of `glimpse_env.affine`) build large index arrays and read
them again; here each pixel is made where it is needed. Numba is an extra (`pip install 'glimpse-env[fast]'`): where it
is missing the plain functions do the work.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from numba import types

from glimpse_env.affine import BITS
from glimpse_env.compiled_arrays import array_of, like
from glimpse_env.compiler import loop, part
from glimpse_env.rng import Array
from glimpse_env.scenes import Blend, Plan, SceneConfig


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


def moved(pictures: Array, index: Array, move: Array) -> Array:
    """As `glimpse_env.affine.moved`, for NumPy arrays or tensors on the CPU."""
    side = pictures.shape[1] - 2
    result = np.empty((len(index), side, side), np.uint8)
    _move(*(np.ascontiguousarray(array) for array in (pictures, index, move)), result)
    return like(pictures, result)
