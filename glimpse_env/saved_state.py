"""States of an environment that can be returned to, as a tree search does."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from glimpse_env.rng import Array
from glimpse_env.tasks import Task


class SavedState(NamedTuple):
    """Where an environment of N rows was (N = 1 in the single one). It is plain data, which may be pickled.

    Attributes:
        fingerprint: that of the task: see `glimpse_env.tasks.Task.fingerprint`.
        seeds, episodes: (N,) int64, of the present episodes.
        ended: (N,) bool, rows whose episode has ended.
        state: the task's state of the episodes, by key, (N, …).
    """

    fingerprint: str
    seeds: np.ndarray
    episodes: np.ndarray
    ended: Array
    state: dict[str, Array]


class SavedStates:
    """`save_state` and `restore_state`, for the single environment and the vector: `env.unwrapped.save_state()`.

    They do not know of wrappers, which have a state of their own (such as the steps that `TimeLimit` counts).
    """

    task: Task
    _seeds: np.ndarray
    _episodes: np.ndarray
    _unseeded: np.ndarray
    _ended: Any
    _state: dict[str, Array] | None

    def save_state(self) -> SavedState:
        """A copy of where the environment is, which nothing that happens to it later changes.

        Raises:
            RuntimeError: before the first `reset`.
        """
        if self._state is None:
            raise RuntimeError("there is no state to save: call reset() first")
        backend = self.task.backend
        with backend.normal_mode():
            state = {key: backend.copy(value) for key, value in self._state.items()}
            ended = backend.copy(backend.asarray(self._ended))
        return SavedState(self.task.fingerprint, self._seeds.copy(), self._episodes.copy(), ended, state)

    def restore_state(self, saved: SavedState) -> None:
        """Go back to a saved state, of this environment or of one made with the same arguments, any number of times.

        Raises:
            ValueError: for the state of another environment, or of another number of rows.
        """
        if not isinstance(saved, SavedState) or saved.fingerprint != self.task.fingerprint:
            raise ValueError("this is not a state that save_state() gave, of an environment with the same arguments")
        if len(saved.seeds) != len(self._seeds):
            raise ValueError(f"the state has {len(saved.seeds)} rows, and this environment {len(self._seeds)}")
        backend = self.task.backend
        with backend.normal_mode():
            self._state = {key: backend.copy(backend.asarray(value)) for key, value in saved.state.items()}
            self._ended = backend.copy(backend.asarray(saved.ended))
        self._seeds[:], self._episodes[:], self._unseeded[:] = saved.seeds, saved.episodes, False
