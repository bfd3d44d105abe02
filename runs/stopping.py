"""What looking less costs: an agent that stops as soon as it is sure enough, for several degrees of certainty."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.trajectory import Trajectory
from runs.benchmarks.cost_plot import cost_plot
from runs.traces.encoding import encode_png

CERTAINTIES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
"""Probabilities of the likeliest answer at which to stop."""


class Stopping:
    """Ends episodes early, afterwards; it is an observer of `agents.evaluate`.

    At each glimpse the agent has an answer, and with it a probability. Whoever stops at the first glimpse at which it
    reaches a threshold needs no training for that, and an easy image few glimpses.
    """

    def __init__(self) -> None:
        self.sure: list[np.ndarray] = []
        self.right: list[np.ndarray] = []

    def __call__(self, trajectory: Trajectory, kept: int) -> None:
        """Count the first `kept` rows in."""
        assert trajectory.hits is not None
        belief = trajectory.params["answer"][:, :kept].softmax(-1).amax(-1)
        self.sure.append(belief.cpu().numpy())
        self.right.append(trajectory.hits[:, :kept].all(-1).cpu().numpy())

    def report(self) -> dict[str, Any]:
        """`stopping`: of each threshold, and of never stopping (1.0), the mean number of glimpses and the error in
        percent."""
        sure, right = np.concatenate(self.sure, axis=1), np.concatenate(self.right, axis=1)
        rows = []
        for certainty in (*CERTAINTIES, 1.0):
            enough = sure >= certainty if certainty < 1 else np.zeros_like(sure, dtype=bool)
            enough[-1] = True
            last = enough.argmax(0)
            error = 100 * (1 - right[last, np.arange(right.shape[1])].mean())
            glimpses = float(last.mean() + 1)
            rows.append({"certainty": certainty, "mean_glimpses": round(glimpses, 4), "error": round(error, 4)})
        return {"stopping": rows}


def stopping_plot(report: dict[str, Any]) -> bytes:
    """The error against the mean number of glimpses, of one that stops when sure and one that stops after so many, as a
    PNG.

    Raises:
        ValueError: for a report without these figures, or without an error.
    """
    if "stopping" not in report:
        raise ValueError("--plot draws what stopping early costs, of agents that look at one image and say one class")
    sure = [(row["mean_glimpses"], row["error"]) for row in report["stopping"][:-1] if row["error"] > 0]
    after = [(number, error) for number, error in enumerate(report["error_by_glimpse"], 1) if error > 0]
    curves = {"when it is sure": sure, "after so many": [(float(number), error) for number, error in after]}
    ticks = [float(number) for number in range(1, report["glimpses"] + 1)]
    picture = cost_plot(f"{report['recipe']}: stopping early", curves, "glimpses, mean", "error, percent", ticks)
    return encode_png(picture)
