"""Pairs of episodes that differ in one word: how many of them are right in both."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.trajectory import Trajectory


class Twins:
    """Counts pairs of episodes 2 k and 2 k + 1; it is an observer of `agents.evaluate`."""

    def __init__(self) -> None:
        self.right: dict[int, bool] = {}

    def __call__(self, trajectory: Trajectory, kept: int) -> None:
        """Count the first `kept` rows in."""
        assert trajectory.hits is not None
        last = trajectory.hits.all(-1).gather(0, trajectory.last()[None])[0, :kept].cpu().numpy()
        self.right.update(zip(trajectory.episodes[:kept].tolist(), last.tolist(), strict=True))

    def report(self) -> dict[str, Any]:
        """`pair_consistency_rate`: percent of the pairs of which both are right."""
        pairs = [
            (right, self.right[number + 1])
            for number, right in self.right.items()
            if number % 2 == 0 and number + 1 in self.right
        ]
        return {"pair_consistency_rate": round(100 * float(np.mean([a and b for a, b in pairs])), 4)} if pairs else {}
