"""Arrays whose space is used again once nobody holds them.

Fresh space costs a page fault for every 4 kB (or, of huge pages, 2 MB to be filled with zeros): of a DNC's step, whose
links are 8 MB, that was a third.
"""

from __future__ import annotations

import math
import weakref
from collections import defaultdict
from typing import Any

import numpy as np

SMALLEST = 2**19
"""Bytes; malloc is good at less."""
MOST = 2**30
"""Bytes kept free, in a process."""

_free: defaultdict[int, list[np.ndarray]] = defaultdict(list)
_kept = 0


class _Lent:
    """What an array and all views of it hold, so that they are gone when it is."""

    def __init__(self, space: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.__array_interface__ = {**space.__array_interface__, "shape": shape, "typestr": dtype.str}


def _give_back(space: np.ndarray) -> None:
    global _kept
    if _kept + space.nbytes > MOST:  # of sizes that are wanted no more, perhaps
        _free.clear()
        _kept = 0
    _kept += space.nbytes
    _free[space.nbytes].append(space)


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array with whatever the space held before. It goes back when all arrays and tensors over it are gone."""
    global _kept
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < SMALLEST:
        return np.empty(shape, dtype)
    if _free[size]:
        space = _free[size].pop()
        _kept -= size
    else:
        space = np.empty(size, np.uint8)
    lent = _Lent(space, shape, dtype)
    weakref.finalize(lent, _give_back, space).atexit = False
    return np.asarray(lent)


def zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """As `empty`, of zeros."""
    array = empty(shape, dtype)
    array.fill(0)
    return array
