"""Action wrappers for libraries without `Dict` actions: the action as a `MultiDiscrete`, or as a flat `Box`.

Stable-Baselines3 and PufferLib are among them. For a single environment and for a vector of them; any environment will
do whose action is a `Dict` of an `answer` and, where there is a gaze, a `location`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorActionWrapper, VectorEnv
from gymnasium.vector.utils import batch_space

Grid = int | Sequence[int]
"""Cells along each dimension of a location: one number for all of them, or one for each."""


class ActionMap(ABC):
    """A flat action space in place of a `Dict`, and the way from one to the other. Any dimensions may come first.

    Args:
        action_space: `Dict` of `answer`, `Discrete` or `MultiBinary`, and where there is a gaze `location`, a `Box` of
            one dimension with finite bounds.

    Attributes:
        space: the flat space.

    Raises:
        ValueError: for another action space.
    """

    space: spaces.Space

    def __init__(self, action_space: spaces.Space) -> None:
        parts = action_space.spaces if isinstance(action_space, spaces.Dict) else {}
        answer, location = parts.get("answer"), parts.get("location")
        if (
            not set(parts) <= {"answer", "location"}
            or not isinstance(answer, (spaces.Discrete, spaces.MultiBinary))
            or (isinstance(answer, spaces.MultiBinary) and len(answer.shape) != 1)
            or (location is not None and not _is_location(location))
        ):
            raise ValueError(
                "the action must be a Dict of 'answer', Discrete or MultiBinary(n), and where there is a gaze "
                f"'location', a finite Box of shape (n,); got {action_space}"
            )
        self.bits = isinstance(answer, spaces.MultiBinary)
        self.answers = int(answer.n)  # type: ignore[arg-type]
        self.first = 0 if isinstance(answer, spaces.MultiBinary) else int(answer.start)
        place = location if isinstance(location, spaces.Box) else spaces.Box(-1, 1, (0,))
        self.low: np.ndarray = place.low
        self.high: np.ndarray = place.high
        self.motion = len(self.low)

    def to_dict(self, action: Any) -> dict[str, np.ndarray]:
        """Flat actions (…, n) to those of the environment: `answer`, and where there is a gaze `location`.

        Raises:
            ValueError: for actions outside the flat space.
        """
        array = np.asarray(action)
        if array.shape[-1:] != self.space.shape or not self._holds(array):
            raise ValueError(f"an action must be in {self.space}, got {action!r}")
        answer = self._answer(array[..., self.motion :])
        if not self.motion:
            return {"answer": answer}
        return {"location": self._location(array[..., : self.motion]).astype(np.float32), "answer": answer}

    @abstractmethod
    def from_dict(self, action: dict[str, Any]) -> np.ndarray:
        """The environment's actions to the nearest flat ones (…, n): demonstrations, for one who learns from them."""

    @abstractmethod
    def _holds(self, array: np.ndarray) -> bool:
        """Whether these numbers (…, n) may be flat actions."""

    @abstractmethod
    def _location(self, part: np.ndarray) -> np.ndarray:
        """The location (…, motion)."""

    @abstractmethod
    def _answer(self, part: np.ndarray) -> np.ndarray:
        """The class (…), or the bits (…, n)."""


class GridMap(ActionMap):
    """`MultiDiscrete`: the cell of a grid to fixate, dimension by dimension (x first), then the answer.

    The fixation is the centre of the cell. With an odd number of cells one of them is at the centre of the canvas, or
    with `saccades="relative"` stays where the gaze is. Of a `MultiBinary` answer each bit is a dimension of its own.

    Args:
        action_space: see `ActionMap`.
        grid: cells along each dimension of a location.

    Raises:
        ValueError: for another action space, or a grid of other dimensions.
    """

    def __init__(self, action_space: spaces.Space, grid: Grid = 9) -> None:
        super().__init__(action_space)
        cells = tuple(grid) if isinstance(grid, Sequence) else (grid,) * self.motion
        if len(cells) != self.motion or not all(type(count) is int and count >= 1 for count in cells):
            raise ValueError(f"grid must be a number of cells, or {self.motion} of them, got {grid!r}")
        self.cells = np.asarray(cells, dtype=np.int64)
        self.space = spaces.MultiDiscrete([*cells, *([2] * self.answers if self.bits else [self.answers])])

    def from_dict(self, action: dict[str, Any]) -> np.ndarray:  # noqa: D102
        answer = np.asarray(action["answer"], dtype=np.int64) - self.first
        answer = answer if self.bits else answer[..., None]
        if not self.motion:
            return answer
        share = (np.asarray(action["location"]) - self.low) / (self.high - self.low)
        cell = np.floor(share * self.cells).astype(np.int64).clip(0, self.cells - 1)
        return np.concatenate([cell, answer], axis=-1)

    def _holds(self, array: np.ndarray) -> bool:
        return array.dtype.kind in "iu" and bool(((array >= 0) & (array < self.space.nvec)).all())  # type: ignore[attr-defined]

    def _location(self, part: np.ndarray) -> np.ndarray:
        return self.low + (part + 0.5) / self.cells * (self.high - self.low)

    def _answer(self, part: np.ndarray) -> np.ndarray:
        return part.astype(np.int8) if self.bits else part[..., 0].astype(np.int64) + self.first


class FlatMap(ActionMap):
    """`Box(-1, 1)`: the location, then a score for each answer.

    The answer is the one with the highest score, the first of equals; bits are 1 where their score is above 0.

    Args:
        action_space: see `ActionMap`.

    Raises:
        ValueError: for another action space.
    """

    def __init__(self, action_space: spaces.Space) -> None:
        super().__init__(action_space)
        self.space = spaces.Box(-1, 1, (self.motion + self.answers,), np.float32)

    def from_dict(self, action: dict[str, Any]) -> np.ndarray:  # noqa: D102
        answer = np.asarray(action["answer"], dtype=np.int64) - self.first
        chosen = answer if self.bits else np.arange(self.answers) == answer[..., None]
        parts = [2.0 * chosen - 1]
        if self.motion:
            parts.insert(0, 2 * (np.asarray(action["location"]) - self.low) / (self.high - self.low) - 1)
        return np.concatenate(parts, axis=-1).astype(np.float32)

    def _holds(self, array: np.ndarray) -> bool:
        return array.dtype.kind in "fiu" and bool(np.isfinite(array).all())

    def _location(self, part: np.ndarray) -> np.ndarray:
        return self.low + (part.clip(-1, 1) + 1) / 2 * (self.high - self.low)

    def _answer(self, part: np.ndarray) -> np.ndarray:
        return (part > 0).astype(np.int8) if self.bits else part.argmax(-1) + self.first


def _is_location(space: spaces.Space) -> bool:
    """Whether it is a `Box` (n,) with finite bounds."""
    return isinstance(space, spaces.Box) and len(space.shape) == 1 and space.is_bounded()


class _SingleAction(gym.ActionWrapper, RecordConstructorArgs):
    """An environment whose actions go through `map`."""

    def __init__(self, env: gym.Env, map: ActionMap, **arguments: Any) -> None:
        RecordConstructorArgs.__init__(self, **arguments)
        gym.ActionWrapper.__init__(self, env)
        self.map, self.action_space = map, map.space

    def action(self, action: Any) -> dict[str, np.ndarray]:
        """The action for the environment."""
        return self.map.to_dict(action)


class _VectorAction(VectorActionWrapper):
    """A vector environment whose actions go through `map`."""

    def __init__(self, env: VectorEnv, map: ActionMap) -> None:
        super().__init__(env)
        self.map, self.single_action_space = map, map.space
        self.action_space = batch_space(map.space, env.num_envs)
        self.autoreset_mode = env.metadata.get("autoreset_mode")  # TorchRL reads it here

    def actions(self, actions: Any) -> dict[str, np.ndarray]:
        """The action for the environment."""
        return self.map.to_dict(actions)


class GridAction(_SingleAction):
    """`MultiDiscrete` actions: see `GridMap`."""

    def __init__(self, env: gym.Env, grid: Grid = 9) -> None:
        super().__init__(env, GridMap(env.action_space, grid), grid=grid)


class FlatAction(_SingleAction):
    """`Box` actions: see `FlatMap`."""

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env, FlatMap(env.action_space))


class VectorGridAction(_VectorAction):
    """`MultiDiscrete` actions for a vector environment: see `GridMap`."""

    def __init__(self, env: VectorEnv, grid: Grid = 9) -> None:
        super().__init__(env, GridMap(env.single_action_space, grid))


class VectorFlatAction(_VectorAction):
    """`Box` actions for a vector environment: see `FlatMap`."""

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env, FlatMap(env.single_action_space))
