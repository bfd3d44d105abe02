"""The contract of a task: batched functions over arrays whose first dimension is the episode."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.rng import Array

State = dict[str, Array]
"""A batch of episodes: every array has the episode as its first dimension."""


KINDS: dict[type[spaces.Space], tuple[str, Any, str]] = {
    spaces.Discrete: ("int64", "integral", "integers"),
    spaces.MultiBinary: ("int64", ("integral", "bool"), "integers or bools"),
}
"""By the kind of an action: what it is checked as, what it may be given as, and what to call that."""

FLOATS: tuple[str, Any, str] = ("float32", "real floating", "floats")


class Outcome(NamedTuple):
    """What a step leads to.

    Attributes:
        state: the next state.
        reward: (N,) float32.
        terminated: (N,) bool.
        info: (N, …) arrays, one value a row and key.
    """

    state: State
    reward: Array
    terminated: Array
    info: dict[str, Array]


class Task(ABC):
    """What can be seen, said and earned in an episode. The faces (`GlimpseEnv`, `GlimpseVectorEnv`) know no task.

    A subclass sets `observation_space` and `action_space` (flat `Dict` spaces of one episode) and `horizon`, the
    number of steps of the longest episode. It draws nothing but from (seed, episode), and keeps nothing but its settings:
    whatever changes during an episode is in the state, which the faces hold, copy and merge row by row.
    """

    observation_space: spaces.Dict
    action_space: spaces.Dict
    horizon: int
    render_modes: tuple[str, ...] = ("rgb_array",)

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    @abstractmethod
    def begin(self, seeds: Array, episodes: Array) -> State:
        """The first state of the episodes (seed, episode number), both (N,) int64."""

    @abstractmethod
    def observe(self, state: State) -> dict[str, Array]:
        """What the agent sees in `state`: fresh arrays, batched over the spaces of `observation_space`."""

    @abstractmethod
    def act(self, state: State, action: dict[str, Array]) -> Outcome:
        """The outcome of a valid batched action. `state` is used up: its arrays may be written to."""

    @abstractmethod
    def info(self, state: State) -> dict[str, Array]:
        """What `reset` tells beside the observation; (N, …) arrays, fresh copies."""

    @abstractmethod
    def render(self, state: State, row: int, mode: str) -> Any:
        """The frame (H, W, 3) uint8, or the text, of one row."""

    def lengths(self, seeds: Array, episodes: Array) -> Array:
        """How many steps the episodes (seed, episode number) have, without beginning them.

        Args:
            seeds, episodes: (N,) int64.

        Returns:
            (N,) int64 in [1, horizon]. Batches of alike lengths waste no steps.
        """
        return self.backend.xp.full_like(episodes, self.horizon)

    def check_action(self, action: Any, batch: tuple[int, ...]) -> dict[str, Array]:
        """The action as arrays of this backend, with its shapes, types and ranges checked.

        Ranges are not checked on a GPU, where that would wait for the device.

        Args:
            action: a dict over `action_space`, of arrays, tensors, lists or numbers.
            batch: the dimensions before those of `action_space`: (N,), or () for one action.

        Raises:
            ValueError: for what is not an action of `action_space`, saying which part and why.
        """
        keys = set(self.action_space.spaces)
        if not isinstance(action, dict) or set(action) != keys:
            found = sorted(action) if isinstance(action, dict) else type(action).__name__
            raise ValueError(f"an action is a dict with the keys {sorted(keys)}, got {found}")
        return {key: self._check_part(key, action[key], batch) for key in action}

    def _check_part(self, key: str, value: Any, batch: tuple[int, ...]) -> Array:
        space, xp = self.action_space.spaces[key], self.backend.xp
        wanted, kinds, words = KINDS.get(type(space), FLOATS)
        array = self.backend.asarray(value)
        if array.dtype != getattr(xp, wanted):
            if not xp.isdtype(array.dtype, kinds):
                raise ValueError(f"action {key!r} must hold {words}, got {array.dtype}")
            array = xp.astype(array, getattr(xp, wanted))
        shape = (*batch, *(space.shape or ()))
        if tuple(array.shape) != shape:
            raise ValueError(f"action {key!r} must have shape {shape}, got {tuple(array.shape)}")
        if self.backend.on_host:
            self._check_values(key, array)
        return xp.astype(array, xp.int8) if isinstance(space, spaces.MultiBinary) else array

    def _check_values(self, key: str, array: Array) -> None:
        space = self.action_space.spaces[key]
        if isinstance(space, spaces.Discrete):
            if bool(((array < int(space.start)) | (array >= int(space.start + space.n))).any()):
                raise ValueError(f"action {key!r} must be in [{space.start}, {space.start + space.n}), got {array}")
        elif isinstance(space, spaces.MultiBinary):
            if bool(((array < 0) | (array > 1)).any()):
                raise ValueError(f"action {key!r} must hold bits, 0 or 1, got {array}")
        elif not bool(self.backend.xp.isfinite(array).all()):
            raise ValueError(f"action {key!r} must be finite, got {array}")


def box(low: float, high: float, shape: tuple[int, ...]) -> spaces.Box:
    """A float32 `Box` with the same bounds everywhere."""
    return spaces.Box(low, high, shape, np.float32)
