"""Seeds and episode numbers of the rows of an environment, by Gymnasium's rules: the single environment has one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

MAX_SEED = 2**63 - 1


class Seeding:
    """Each row has a seed and the number of its episode. `np_random` draws the seed of a row that is given none."""

    _seeds: np.ndarray
    _episodes: np.ndarray
    _unseeded: np.ndarray

    def _start_seeding(self, rows: int) -> None:
        self._seeds, self._episodes = np.full(rows, -1, dtype=np.int64), np.full(rows, -1, dtype=np.int64)
        self._unseeded = np.ones(rows, dtype=np.bool_)  # rows whose seed is drawn when they begin

    def _seed_rows(self, rows: np.ndarray, seeds: Sequence[int | None]) -> None:
        """Give the rows (N,) bool their new seeds, None for the present one, before an episode begins in them."""
        for row, seed in enumerate(seeds):
            if rows[row] and seed is not None:
                self._seeds[row], self._episodes[row], self._unseeded[row] = int(seed) & MAX_SEED, -1, False
        drawn = rows & self._unseeded
        if drawn.any():
            self._seeds[drawn] = self.np_random.integers(MAX_SEED, size=drawn.sum())
            self._episodes[drawn], self._unseeded[drawn] = -1, False

    @property
    def np_random(self) -> np.random.Generator:
        """Gymnasium's generator, which draws seeds alone. Set another, and it draws those of the next episodes."""
        return super().np_random  # type: ignore[misc]

    @np_random.setter
    def np_random(self, value: np.random.Generator) -> None:
        super(Seeding, type(self)).np_random.fset(self, value)  # type: ignore[misc]
        self._unseeded[:] = True

    @property
    def np_random_seed(self) -> Any:
        """The seeds of the rows, as `SyncVectorEnv` has them: `reset(seed=…)` with it begins the same episodes."""
        if (self._seeds < 0).any():
            self._seed_rows(self._seeds < 0, ())
        return tuple(self._seeds.tolist())
