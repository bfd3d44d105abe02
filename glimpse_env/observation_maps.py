"""`Dict` observations as other libraries take them: categories as 0 and 1, and all parts in one row.

`glimpse_env.wrappers` uses them, for a single observation and for a batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

CATEGORIES = (spaces.Discrete, spaces.MultiDiscrete)


class OneHotMap:
    """Ids of words and other categories as columns of 0 and 1, so that nothing takes them for quantities.

    `Discrete` and `MultiDiscrete` of shape (…) become `Box(0, 1, (n, …), float32)`, where n is the largest number of
    categories. These come first, so that frames stacked along the last dimension (Stable-Baselines3's `VecFrameStack`)
    are more words. Other parts stay as they are.

    Args:
        observation_space: a `Dict` of `Box`, `Discrete`, `MultiDiscrete` and `MultiBinary`.

    Attributes:
        space: the `Dict` after it.

    Raises:
        ValueError: for another observation space.
    """

    def __init__(self, observation_space: spaces.Space) -> None:
        self.parts = parts_of(observation_space)
        shown = {
            name: spaces.Box(0, 1, (count_of(part), *shape_of(part))) if isinstance(part, CATEGORIES) else part
            for name, part in self.parts.items()
        }
        self.space = spaces.Dict(shown)

    def __call__(self, observation: dict[str, Any]) -> dict[str, np.ndarray]:
        """An observation, or a batch of them, in `space`."""
        values = {}
        for name, part in self.parts.items():
            value = one_hot(part, observation[name])
            if isinstance(part, CATEGORIES):
                value = np.moveaxis(value, -1, value.ndim - 1 - len(shape_of(part)))
            values[name] = value
        return values


class RowMap:
    """All parts in one row of float32, in the order of the space, each category as a row of 0 and 1.

    As Gymnasium's `FlattenObservation`, for batches too, and of one type whatever the parts are.

    Args:
        observation_space: see `OneHotMap`.

    Attributes:
        space: the `Box` of one dimension.

    Raises:
        ValueError: for another observation space.
    """

    def __init__(self, observation_space: spaces.Space) -> None:
        self.parts = parts_of(observation_space)
        low, high = [], []
        for part in self.parts.values():
            bounds = (part.low, part.high) if isinstance(part, spaces.Box) else (0, 1)
            low.append(np.broadcast_to(bounds[0], shape_of(part, one_hot=True)).ravel())
            high.append(np.broadcast_to(bounds[1], shape_of(part, one_hot=True)).ravel())
        self.space = spaces.Box(np.concatenate(low, dtype=np.float32), np.concatenate(high, dtype=np.float32))

    def __call__(self, observation: dict[str, Any]) -> np.ndarray:
        """The row (n,) of an observation, or the rows (N, n) of a batch."""
        rows = []
        for name, part in self.parts.items():
            value = one_hot(part, observation[name])
            batch = value.shape[: value.ndim - len(shape_of(part, one_hot=True))]
            rows.append(value.reshape(*batch, -1).astype(np.float32))
        return np.concatenate(rows, axis=-1)


def parts_of(space: spaces.Space) -> dict[str, Any]:
    """The parts of an observation space by name.

    Raises:
        ValueError: for a space that is no flat `Dict`, or parts of other kinds.
    """
    parts = space.spaces if isinstance(space, spaces.Dict) else {}
    if not parts or not all(isinstance(part, (spaces.Box, spaces.MultiBinary, *CATEGORIES)) for part in parts.values()):
        raise ValueError(f"the observation must be a Dict of Box, Discrete, MultiDiscrete and MultiBinary, got {space}")
    return dict(parts)


def count_of(space: Any) -> int:
    """The number of categories, of several kinds the largest."""
    return int(space.n if isinstance(space, spaces.Discrete) else space.nvec.max())


def shape_of(space: spaces.Space, *, one_hot: bool = False) -> tuple[int, ...]:
    """The shape of a part; with `one_hot` that of categories as rows of 0 and 1."""
    shape = space.shape or ()
    return (*shape, count_of(space)) if one_hot and isinstance(space, CATEGORIES) else shape


def one_hot(space: spaces.Space, value: Any) -> np.ndarray:
    """Categories (…) as rows of 0 and 1, (…, n) float32; what are no categories, as it is.

    Raises:
        TypeError: for tensors.
    """
    if not isinstance(value, (np.ndarray, np.number, int)):
        raise TypeError(f'NumPy arrays are expected: make env with backend="numpy", got {type(value).__name__}')
    if not isinstance(space, CATEGORIES):
        return np.asarray(value)
    number = np.asarray(value) - space.start
    return (number[..., None] == np.arange(count_of(space))).astype(np.float32)
