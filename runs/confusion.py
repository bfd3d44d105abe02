"""Which classes are taken for which: a confusion matrix, and how sure a share of errors is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from agents.trajectory import Trajectory

Z = 1.959964
"""Of a 95 % interval."""

SHOWN = 5
"""Confusions that are named, at most."""


def wilson_interval(wrong: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, in percent, of `wrong` among `count` (Wilson 1927)."""
    share, square = wrong / count, Z * Z / count
    middle = (share + square / 2) / (1 + square)
    reach = Z / (1 + square) * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return 100 * max(0.0, middle - reach), 100 * min(1.0, middle + reach)


class Confusion:
    """Counts the last answers of episodes; it is an observer of `agents.evaluate`.

    Args:
        names: of the classes.

    Attributes:
        matrix: (K, K) int64, [true class, answer].
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.matrix = np.zeros((len(names), len(names)), np.int64)

    def __call__(self, trajectory: Trajectory, kept: int) -> None:
        """Count the first `kept` rows in."""
        assert trajectory.target is not None
        last = trajectory.last()[None, :kept]
        pairs = [part[:, :kept].gather(0, last)[0] for part in (trajectory.target, trajectory.actions["answer"])]
        np.add.at(self.matrix, tuple(pair.cpu().numpy() for pair in pairs), 1)

    def report(self) -> dict[str, Any]:
        """`images` and `error` in percent of each class that has any, the interval of the whole error, and the
        matrix."""
        counts, right = self.matrix.sum(1), self.matrix.diagonal()
        by_class = {
            name: {"images": int(count), "error": round(100 * (1 - hit / count), 4)}
            for name, count, hit in zip(self.names, counts, right, strict=True)
            if count
        }
        interval = wilson_interval(int(counts.sum() - right.sum()), int(counts.sum()))
        return {"error_by_class": by_class, "error_interval": interval, "confusion": self.matrix.tolist()}


def confusion_lines(report: dict[str, Any]) -> list[str]:
    """The same as lines to read: a line a class, and what is confused most often."""
    low, high = report["error_interval"]
    width = max(map(len, report["error_by_class"]))
    lines = [f"  95 % interval of the error {low:.2f} to {high:.2f} %", ""]
    for name, row in report["error_by_class"].items():
        lines.append(f"  {name:<{width}} {row['images']:>6,} images {row['error']:7.2f} % wrong")
    matrix, names = np.array(report["confusion"]), report["classes"]
    np.fill_diagonal(matrix, 0)
    for place in np.argsort(-matrix, axis=None, kind="stable")[:SHOWN]:
        true, answer = np.unravel_index(place, matrix.shape)
        if matrix[true, answer]:
            lines.append(f"  {names[true]} taken for {names[answer]}: {matrix[true, answer]:,}")
    return lines
