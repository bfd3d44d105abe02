"""What was recalled of a walk through several pictures: how much read weight each of them got at a question."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from agents.evaluation import play
from runs.traces.weights import over_steps

DRAWN = 24
"""Canvases that a picture has room for."""

WATCHED = 500
"""Episodes of a recall hit rate, at most."""


class Walk(NamedTuple):
    """The walk of one episode of T steps, and its A scored questions.

    Attributes:
        canvases: (H, W, C) uint8 each, by their numbers.
        shown: (T,) int64, the number of the canvas at each step.
        asked: (A,) int64, the steps whose answers count.
        questions: of these, in words; "" where there are none.
        support: (A, canvases) bool, what each answer rests on; None where that is not known.
    """

    canvases: list[np.ndarray]
    shown: np.ndarray
    asked: np.ndarray
    questions: tuple[str, ...]
    support: np.ndarray | None

    @property
    def pictures(self) -> int:
        """How many of the canvases that were shown before the first question are drawn: the first, `DRAWN` at most."""
        return min(DRAWN, int(self.shown[self.asked[0]]) if len(self.asked) else len(self.canvases))


def by_canvas(weights: np.ndarray, shown: np.ndarray, canvases: int) -> np.ndarray:
    """Weights (…, T) of steps as weights (…, canvases) of what was shown at them, (T,) numbers."""
    return weights @ np.eye(canvases)[shown]


def overwritten(slots: int, step: int, steps: int) -> bool:
    """Whether a slot that could be read at a step, from 0, held another by the end of an episode of so many steps: what
    it held is known of the end alone."""
    return step < steps - 1 and slots < steps


def recall_hit_rate(agent: Any, env: Any, episodes: int, seed: int, gaze: str = "learned") -> float | None:
    """The share of the last hop's read weight, at the scored answers, that lies on what the answers rest on; mean over
    heads. In [0, 1]; answers that rest on nothing are left out.

    None where slots do not hold steps, were overwritten after an answer, or it is not known what answers rest on.

    Args:
        agent: whose memory is watched.
        env: a vector environment of Glimpse's.
        episodes: how many, from 0 on; no more than `WATCHED` are played.
        seed: of the environment.
        gaze: "learned", or a scripted one of the environment's.
    """
    task = env.unwrapped.task
    if task.schedule is None or int(task.schedule.shown[-1]) < 1:
        return None
    numbers = np.arange(min(episodes, WATCHED))
    seeds = np.full_like(numbers, seed)
    known = task.supports(*(task.backend.asarray(array, "int64") for array in (seeds, numbers)))
    if known is None:
        return None
    support, shown = task.backend.to_numpy(known), task.schedule.shown
    asked, question = np.flatnonzero(task.schedule.scored), task.schedule.asked[task.schedule.scored]
    total = count = 0.0
    for trajectory, kept in play(agent, env, numbers, seed=seed, gaze=gaze, watch=True):
        watched = trajectory.watched
        if watched is None or watched.read is None or watched.step is None:
            return None
        if overwritten(watched.step.shape[1], int(asked[0]), len(shown)):
            return None
        read = watched.read[asked, :kept, -1].cpu().numpy().swapaxes(0, 1)  # (N, A, slots)
        weights = over_steps(read, watched.step[:kept].cpu().numpy(), len(shown))
        rests_on = support[trajectory.episodes[:kept]][:, question]  # (N, A, canvases)
        right = (by_canvas(weights, shown, support.shape[2]) * rests_on).sum(-1)
        some = rests_on.any(-1)
        total, count = total + float(right[some].sum()), count + float(some.sum())
    return total / count if count else None
