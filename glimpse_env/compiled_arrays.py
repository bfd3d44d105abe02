"""The types of arrays that compiled loops take, and the results that they give."""

from __future__ import annotations

import numpy as np
from numba import types

from glimpse_env.rng import Array


def array_of(kind: types.Type, dimensions: int, readonly: bool = True) -> types.Array:
    """The type of a contiguous array. Any such array may be passed as one that is only read."""
    return types.Array(kind, dimensions, "C", readonly=readonly)


def like(example: Array, array: np.ndarray) -> Array:
    """`array` as it is, or where `example` is a tensor as one of the same memory."""
    if isinstance(example, np.ndarray):
        return array
    import torch

    return torch.from_numpy(array)
