"""Delays between what is shown and what is asked: of one length, or of several, and then each episode draws its own."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from glimpse_env.backend import Backend
from glimpse_env.rng import Array, draw_words, integers

DELAY_STREAM = 7
"""The random stream of lengths."""


class Delays(NamedTuple):
    """Which steps of a schedule are delays. The schedule has the longest; an episode leaves steps out of its own.

    Attributes:
        number: (T,) int64, the delay that each step belongs to, from 0; -1 for none.
        lengths: steps that any of the delays may last, each as likely.
    """

    number: np.ndarray
    lengths: tuple[int, ...]

    def positions(self, seeds: Array, episodes: Array, backend: Backend) -> Array:
        """(N, T + 1) int64, the step of the schedule at each step of these episodes (N,); T from their end on."""
        xp, steps = backend.xp, len(self.number)
        count = int(self.number.max(initial=-1)) + 1
        into = np.zeros(steps, np.int64)
        for delay in range(count):
            into[self.number == delay] = np.arange((self.number == delay).sum())
        drawn = backend.asarray(self.lengths, "int64")[
            integers(draw_words(seeds, episodes, count, DELAY_STREAM), len(self.lengths))
        ]
        limit = xp.where(backend.asarray(self.number >= 0), drawn[:, np.maximum(self.number, 0)], steps)
        kept = xp.where(backend.asarray(into) < limit, backend.rows(steps), steps)
        return xp.concat([xp.sort(kept, axis=1), xp.full_like(kept[:, :1], steps)], axis=1)


def checked_delays(value: Any, least: int = 0) -> tuple[int, ...]:
    """The lengths of a delay, in steps: of one number, or several.

    Raises:
        ValueError: for anything but integers of at least `least`, or none.
    """
    lengths = (value,) if isinstance(value, Integral) else value
    if not isinstance(lengths, tuple | list) or not lengths:
        raise ValueError(f"delay is a number of steps, or several to draw from, got {value!r}")
    if not all(isinstance(length, Integral) and int(length) >= least for length in lengths):
        raise ValueError(f"delay is made of integers of at least {least}, got {value!r}")
    return tuple(int(length) for length in lengths)
