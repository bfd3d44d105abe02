"""A gaze along a hidden text: which line a place is on, where its middle is, and which of those that matter were seen."""

from __future__ import annotations

from glimpse_env.rng import Array
from glimpse_env.tasks.base import Task


class HiddenLines(Task):
    """A text whose lines are hidden, of a sentence or of a single word each."""

    def line_at(self, location: Array, count: Array) -> Array:
        """The line at a location: floor((location + 1) / 2 · count), clipped to the text.

        Args:
            location: (N,) float32 in [-1, 1].
            count: (N,) int64, lines of the text.

        Returns:
            (N,) int64 in [0, count).
        """
        xp = self.backend.xp
        line = xp.astype(xp.floor((location + 1) * 0.5 * xp.astype(count, xp.float32)), xp.int64)
        return xp.minimum(line.clip(min=0), count - 1)

    def centre(self, line: Array, count: Array) -> Array:
        """The location of the middle of a line, float32: the inverse of `line_at`."""
        xp = self.backend.xp
        return xp.astype(2 * line + 1, xp.float32) / xp.astype(count, xp.float32) - 1

    def share_seen(self, wanted: Array, path: Array) -> Array:
        """The share of these lines that a path has met, (N,) float64 as Gymnasium's; 0 where none is named.

        Args:
            wanted: (N, F) int64, padded with -1.
            path: (N, T) int64, the fixated lines so far, padded with -1.
        """
        xp, named = self.backend.xp, wanted >= 0
        hit = named & xp.any(wanted[:, :, None] == path[:, None, :], axis=2)
        hits, all_ = (xp.astype(xp.sum(xp.astype(part, xp.int64), axis=1), xp.float64) for part in (hit, named))
        return hits / xp.where(all_ > 0, all_, 1.0)
