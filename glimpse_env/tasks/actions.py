"""Actions as arrays: their shapes, types and ranges checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.rng import Array
from glimpse_env.tasks.base import Task

TYPES: dict[type[spaces.Space], tuple[str, Any, str]] = {
    spaces.Discrete: ("int64", "integral", "integers"),
    spaces.MultiDiscrete: ("int64", "integral", "integers"),
    spaces.MultiBinary: ("int64", ("integral", "bool"), "integers or bools"),
}
"""By the space of a part: the type it is checked as, the types it may be given as, and what to call those."""

FLOATS: tuple[str, Any, str] = ("float32", "real floating", "floats")


def check_action(task: Task, action: Any, batch: tuple[int, ...]) -> dict[str, Array]:
    """The action as arrays of the task's backend, with its shapes, types and ranges checked.

    They are new arrays without a gradient: what the caller does with its own changes no episode. Ranges are not
    checked on a GPU, where that would wait for the device.

    Args:
        task: whose action it is.
        action: a dict over its `action_space`, of arrays, tensors, lists or numbers.
        batch: the dimensions before those of `action_space`: (N,), or () for one action.

    Raises:
        ValueError: for what is not an action of the task, with the part and the reason.
    """
    parts = task.action_space.spaces
    if not isinstance(action, dict) or set(action) != set(parts):
        found = sorted(action) if isinstance(action, dict) else type(action).__name__
        raise ValueError(f"an action is a dict with the keys {sorted(parts)}, got {found}")
    return {key: _check_part(key, parts[key], task.backend, action[key], batch) for key in action}


def _check_part(key: str, space: spaces.Space, backend: Backend, value: Any, batch: tuple[int, ...]) -> Array:
    xp = backend.xp
    wanted, allowed, description = TYPES.get(type(space), FLOATS)
    try:
        array = backend.copy(backend.asarray(value))
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:  # what is no array, or elsewhere
        raise ValueError(f"action {key!r} must hold {description}, got {value!r}: {error}") from error
    if array.dtype != getattr(xp, wanted):
        if not xp.isdtype(array.dtype, allowed):
            raise ValueError(f"action {key!r} must hold {description}, got {array.dtype}")
        with np.errstate(over="ignore"):  # it becomes infinite, which is refused below
            array = xp.astype(array, getattr(xp, wanted))
    shape = (*batch, *(space.shape or ()))
    if tuple(array.shape) != shape:
        raise ValueError(f"action {key!r} must have shape {shape}, got {tuple(array.shape)}")
    if backend.on_host:
        _check_values(key, space, backend, array)
    return xp.astype(array, xp.int8) if isinstance(space, spaces.MultiBinary) else array


def _check_values(key: str, space: spaces.Space, backend: Backend, array: Array) -> None:
    if isinstance(space, spaces.Discrete):
        if bool(((array < int(space.start)) | (array >= int(space.start + space.n))).any()):
            raise ValueError(f"action {key!r} must be in [{space.start}, {space.start + space.n}), got {array}")
    elif isinstance(space, spaces.MultiDiscrete):
        low, high = space.start.astype(np.int64), (space.start + space.nvec).astype(np.int64)
        if bool(((array < backend.asarray(low)) | (array >= backend.asarray(high))).any()):
            raise ValueError(f"action {key!r} must be from {low.tolist()} to below {high.tolist()}, got {array}")
    elif isinstance(space, spaces.MultiBinary):
        if bool(((array < 0) | (array > 1)).any()):
            raise ValueError(f"action {key!r} must hold bits, 0 or 1, got {array}")
    elif not bool(backend.xp.isfinite(array).all()):
        raise ValueError(f"action {key!r} must be finite, got {array}")
