"""Flat actions in place of `Dict` ones: as a `MultiDiscrete`, a `Discrete` or a `Box`, and back.

`glimpse_env.wrappers` uses them. Any environment will do whose action is a `Dict` of an `answer` and, where there is a
gaze, a `location`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

Grid = int | Sequence[int]
"""Cells along each dimension of a location: one number for all of them, or one for each."""

MOST_ACTIONS = 2**24
"""Of a `Discrete`: many libraries keep actions as float32, which holds all integers up to this one."""


class ActionMap(ABC):
    """A flat action space in place of a `Dict`, and the way from one to the other. Any dimensions may come first.

    Args:
        action_space: `Dict` of `answer`, `Discrete`, `MultiDiscrete` or `MultiBinary`, where there is a gaze
            `location`, a `Box` of one dimension with finite bounds, and where one may stop `stop`, `Discrete(2)`.

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
            not set(parts) <= {"answer", "location", "stop"}
            or parts.get("stop", spaces.Discrete(2)) != spaces.Discrete(2)
            or not isinstance(answer, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary))
            or len(answer.shape or ()) > 1
            or (location is not None and not _is_location(location))
        ):
            raise ValueError(
                "the action must be a Dict of 'answer', Discrete, MultiDiscrete or MultiBinary of one dimension, where "
                "there is a gaze 'location', a finite Box of shape (n,), and where one may stop 'stop', Discrete(2); "
                f"got {action_space}"
            )
        self.bits, self.several = (isinstance(answer, kind) for kind in (spaces.MultiBinary, spaces.MultiDiscrete))
        self.sizes: tuple[int, ...]  # how many answers there are in each place
        if isinstance(answer, spaces.MultiDiscrete):
            self.sizes, self.first = tuple(answer.nvec.tolist()), np.asarray(answer.start)
        elif isinstance(answer, spaces.MultiBinary):
            self.sizes, self.first = (2,) * int(answer.n), np.zeros((), np.int64)  # type: ignore[arg-type]
        else:
            self.sizes, self.first = (int(answer.n),), np.asarray(answer.start)
        place = location if isinstance(location, spaces.Box) else spaces.Box(-1, 1, (0,))
        self.low: np.ndarray = place.low
        self.high: np.ndarray = place.high
        self.motion, self.stops = len(self.low), int("stop" in parts)

    def to_dict(self, action: Any) -> dict[str, np.ndarray]:
        """Flat actions, (…) of a `Discrete` and else (…, n), to those of the environment.

        Returns:
            `answer`, where there is a gaze `location`, and where one may stop `stop`.

        Raises:
            ValueError: for actions outside the flat space.
        """
        array = np.asarray(action)
        if not self._holds(array):
            raise ValueError(f"an action must be in {self.space}, got {action!r}")
        row = self._row(array)
        end = row.shape[-1] - self.stops
        parts = {"answer": self._answer(row[..., self.motion : end])}
        if self.motion:
            parts["location"] = self._location(row[..., : self.motion]).astype(np.float32)
        if self.stops:
            parts["stop"] = (row[..., end] > 0).astype(np.int64)
        return parts

    @abstractmethod
    def from_dict(self, action: dict[str, Any]) -> np.ndarray:
        """The environment's actions to the nearest flat ones: demonstrations, for one who learns from them."""

    @abstractmethod
    def _holds(self, array: np.ndarray) -> bool:
        """Whether these numbers may be flat actions."""

    def _row(self, array: np.ndarray) -> np.ndarray:
        """The motion and the answer side by side, (…, n)."""
        return array

    def _numbered(self, part: np.ndarray) -> np.ndarray:
        """The class (…) or the classes (…, n) of places (…, n) from 0 on."""
        return (part if self.several else part[..., 0]).astype(np.int64) + self.first

    @abstractmethod
    def _location(self, part: np.ndarray) -> np.ndarray:
        """The location (…, motion)."""

    @abstractmethod
    def _answer(self, part: np.ndarray) -> np.ndarray:
        """The class (…), the classes (…, n), or the bits (…, n)."""


class GridMap(ActionMap):
    """`MultiDiscrete`: the cell of a grid to fixate, dimension by dimension (x first), then the answer, then `stop`.

    The fixation is the centre of the cell. With an odd number of cells one of them is at the centre of the canvas, or
    with `saccades="relative"` stays where the gaze is. Each of several answers, and each bit of a `MultiBinary`, is a
    dimension of its own.

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
        self.choices = (*cells, *self.sizes, *[2] * self.stops)
        self.space = spaces.MultiDiscrete(list(self.choices))

    def from_dict(self, action: dict[str, Any]) -> np.ndarray:  # noqa: D102
        answer = np.asarray(action["answer"], dtype=np.int64) - self.first
        parts = [answer if self.bits or self.several else answer[..., None]]
        if self.motion:
            share = (np.asarray(action["location"]) - self.low) / (self.high - self.low)
            parts.insert(0, np.floor(share * self.cells).astype(np.int64).clip(0, self.cells - 1))
        if self.stops:
            parts.append(np.asarray(action["stop"], dtype=np.int64)[..., None])
        return np.concatenate(parts, axis=-1)

    def _holds(self, array: np.ndarray) -> bool:
        return array.shape[-1:] == self.space.shape and _are_indices(array, self.choices)

    def _location(self, part: np.ndarray) -> np.ndarray:
        return self.low + (part + 0.5) / self.cells * (self.high - self.low)

    def _answer(self, part: np.ndarray) -> np.ndarray:
        return part.astype(np.int8) if self.bits else self._numbered(part)


class DiscreteMap(GridMap):
    """`Discrete`: one number for all of `GridMap`'s, the last of which changes fastest.

    Where only a class is answered, that is the class, numbered from 0. n bits are a number below 2 ** n.

    Args:
        action_space: see `ActionMap`.
        grid: cells along each dimension of a location.

    Raises:
        ValueError: as `GridMap`, or for more than `MOST_ACTIONS` actions.
    """

    def __init__(self, action_space: spaces.Space, grid: Grid = 9) -> None:
        super().__init__(action_space, grid)
        count = math.prod(self.choices)
        if count > MOST_ACTIONS:
            raise ValueError(
                f"{self.space} as one Discrete has {count:,} actions, and {MOST_ACTIONS:,} are the most: use a coarser "
                "grid, or GridAction, which keeps them apart"
            )
        self.space = spaces.Discrete(count)

    def from_dict(self, action: dict[str, Any]) -> np.ndarray:  # noqa: D102
        row = super().from_dict(action)
        return np.asarray(np.ravel_multi_index(tuple(np.moveaxis(row, -1, 0)), self.choices))

    def _holds(self, array: np.ndarray) -> bool:
        return _are_indices(array, math.prod(self.choices))

    def _row(self, array: np.ndarray) -> np.ndarray:
        return np.stack(np.unravel_index(array.astype(np.int64), self.choices), axis=-1)


class FlatMap(ActionMap):
    """`Box(-1, 1)`: the location, then a score for each answer, then one for `stop`.

    The answer is the one with the highest score, the first of equals, of several answers each; bits and `stop` are 1
    where their score is above 0.

    Args:
        action_space: see `ActionMap`.

    Raises:
        ValueError: for another action space.
    """

    def __init__(self, action_space: spaces.Space) -> None:
        super().__init__(action_space)
        self.scores = len(self.sizes) if self.bits else sum(self.sizes)
        self.space = spaces.Box(-1, 1, (self.motion + self.scores + self.stops,), np.float32)

    def from_dict(self, action: dict[str, Any]) -> np.ndarray:  # noqa: D102
        answer = np.asarray(action["answer"], dtype=np.int64) - self.first
        if not self.bits:
            each = np.moveaxis(answer, -1, 0) if self.several else answer[None]
            hot = [np.arange(count) == one[..., None] for count, one in zip(self.sizes, each, strict=True)]
            answer = np.concatenate(hot, axis=-1)
        parts = [2.0 * answer - 1]
        if self.motion:
            parts.insert(0, 2 * (np.asarray(action["location"]) - self.low) / (self.high - self.low) - 1)
        if self.stops:
            parts.append(2.0 * np.asarray(action["stop"], dtype=np.int64)[..., None] - 1)
        return np.concatenate(parts, axis=-1).astype(np.float32)

    def _holds(self, array: np.ndarray) -> bool:
        return array.shape[-1:] == self.space.shape and array.dtype.kind in "fiu" and bool(np.isfinite(array).all())

    def _location(self, part: np.ndarray) -> np.ndarray:
        return self.low + (part.clip(-1, 1) + 1) / 2 * (self.high - self.low)

    def _answer(self, part: np.ndarray) -> np.ndarray:
        if self.bits:
            return (part > 0).astype(np.int8)
        scores = np.split(part, np.cumsum(self.sizes)[:-1], axis=-1)
        return self._numbered(np.stack([each.argmax(-1) for each in scores], axis=-1))


def _is_location(space: spaces.Space) -> bool:
    """Whether it is a `Box` (n,) with finite bounds."""
    return isinstance(space, spaces.Box) and len(space.shape) == 1 and space.is_bounded()


def _are_indices(array: np.ndarray, count: int | tuple[int, ...]) -> bool:
    """Whether these are integers from 0 to below `count`."""
    return array.dtype.kind in "iu" and bool(((array >= 0) & (array < np.asarray(count))).all())
