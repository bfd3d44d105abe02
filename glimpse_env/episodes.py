"""Methods that both environments share: scripted gazes, whole episodes, lengths and groups, by episode number."""

from __future__ import annotations

from typing import Any

import numpy as np

from glimpse_env.backend import as_numpy
from glimpse_env.rng import Array
from glimpse_env.seeding import MAX_SEED
from glimpse_env.tasks import Task
from glimpse_env.tasks.records import Story, Whole


def episode_numbers(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`options["episode"]` as int64 of this shape; one number counts for all.

    Raises:
        ValueError: for another shape or type, or a negative number.
    """
    numbers = as_numpy(value)
    if numbers.dtype.kind not in "iu" or numbers.shape not in ((), shape) or (numbers.astype(np.int64) < 0).any():
        several = f", or {shape} of them" if shape else ""
        raise ValueError(f"options['episode'] must be an integer of at least 0{several}, got {value!r}")
    return np.broadcast_to(numbers.astype(np.int64), shape)


class EpisodeMethods:
    """Pure functions of (seed, episode number). All episodes have the same seed; arrays are those of the backend.

    Attributes:
        task: the task.
    """

    task: Task

    def scripted_gaze(self, name: str, seed: int, episodes: np.ndarray) -> Array:
        """The places of a scripted gaze in episodes (N,), (horizon - 1, N, D) float32 in [-1, 1], time first.

        Raises:
            ValueError: for a name that is not in `metadata["gazes"]`.
        """
        xp, places = self.task.backend.xp, self.task.gaze(name, *self._numbered(seed, episodes))
        turned = xp.permute_dims(places, (1, 0, 2))
        return xp.reshape(xp.reshape(turned, (-1,)), turned.shape)  # contiguous

    def whole(self, seed: int, episodes: np.ndarray, steps: int) -> Whole:
        """Episodes (N,) of T = `steps`, episode first, where `metadata["interactive"]` is False: see `Task.whole`.

        Raises:
            ValueError: where observations depend on actions, or for a T out of range.
        """
        return self.task.whole(*self._numbered(seed, episodes), steps)

    def lengths(self, seed: int, episodes: np.ndarray) -> np.ndarray:
        """How many steps these episodes (N,) have at most, (N,) int64 on the host."""
        return self.task.backend.to_numpy(self.task.lengths(*self._numbered(seed, episodes)))

    def groups(self, seed: int, episodes: np.ndarray) -> np.ndarray:
        """The group of each of these episodes, (N,) int64 on the host, where there are `metadata["group_names"]`."""
        return self.task.backend.to_numpy(self.task.groups(*self._numbered(seed, episodes)))

    def story(self, seed: int, episodes: np.ndarray) -> Story | None:
        """The stories of these episodes (N,) on the host; None for a task without stories."""
        story = self.task.story(*self._numbered(seed, episodes))
        if story is None:
            return None
        return Story(*(None if part is None else self.task.backend.to_numpy(part) for part in story))

    def digest(self) -> str:
        """A hash of the data that the episodes show; "" where they are made up."""
        return self.task.digest()

    def _numbered(self, seed: int, episodes: np.ndarray) -> tuple[Array, Array]:
        numbers = np.array(episodes, dtype=np.int64)
        seeds = np.full_like(numbers, seed & MAX_SEED)
        return self.task.backend.asarray(seeds), self.task.backend.asarray(numbers)
