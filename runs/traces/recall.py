"""What was recalled of a walk through several pictures: how much read weight each of them got at a question."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from agents.evaluation import play
from agents.trajectory import Trajectory
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
        labels: what the first of the canvases are called in questions, in turn; () where that is by their order.
    """

    canvases: list[np.ndarray]
    shown: np.ndarray
    asked: np.ndarray
    questions: tuple[str, ...]
    support: np.ndarray | None
    labels: tuple[str, ...] = ()

    def label(self, number: int) -> str:
        """What a canvas is called, from 0: nothing where others are and it is not."""
        if not self.labels:
            return str(number + 1)
        return self.labels[number] if number < len(self.labels) else ""

    @property
    def pictures(self) -> int:
        """How many of the canvases that were shown before the first question are drawn: the first, `DRAWN` at most.

        Where the first canvas has a question already, those before the last one. An episode of a short delay leaves out
        the last of them.
        """
        before = self.shown[self.asked]
        most = int(before[0] or before[-1]) if len(before) else len(self.canvases)
        left_out = np.flatnonzero(~np.isin(np.arange(most), self.shown))
        return min(DRAWN, int(left_out[0]) if len(left_out) else most)


def by_canvas(weights: np.ndarray, shown: np.ndarray, canvases: int) -> np.ndarray:
    """Weights (…, T) of steps as weights (…, canvases) of what was shown at them, (T,) numbers."""
    return weights @ np.eye(canvases)[shown]


def overwritten(slots: int, step: int, steps: int) -> bool:
    """Whether a slot that could be read at a step, from 0, held another by the end of an episode of so many steps: what
    it held is known of the end alone."""
    return step < steps - 1 and slots < steps


class Recalled(NamedTuple):
    """What was recalled in A answers of N episodes that show C canvases.

    Attributes:
        weight: (N, A, C) float64 in [0, 1], the last hop's read weight on what was shown; mean over heads.
        rests_on: (N, A, C) bool, what the right answer rests on.
        kind: (N,) int64, the group of the episode; 0 where there are none.
        correct: (N,) bool, whether the last answer was right.
    """

    weight: np.ndarray
    rests_on: np.ndarray
    kind: np.ndarray
    correct: np.ndarray


def recalls_are_known(agent: Any, task: Any) -> bool:
    """Whether an agent remembers, several canvases are shown, and it is known which of them the answers rest on."""
    if not agent.memory.read_size or task.schedule is None or int(task.schedule.shown[-1]) < 1:
        return False
    return task.supports(*(task.backend.asarray([0], "int64") for _ in range(2))) is not None


def recalled_of(env: Any, seed: int, trajectory: Trajectory) -> Recalled:
    """Of a batch of episodes whose memory was watched.

    Raises:
        ValueError: where the memory does not say what it recalled, or held other steps by an episode's end.
    """
    task, watched, episodes = env.unwrapped.task, trajectory.watched, trajectory.episodes
    if watched is None or watched.read is None or watched.step is None:
        raise ValueError("this memory does not tell which steps it recalls")
    numbers = (task.backend.asarray(array, "int64") for array in (np.full_like(episodes, seed), episodes))
    known = task.backend.to_numpy(task.supports(*numbers))
    read, step = watched.read[:, :, -1].cpu().numpy(), watched.step.cpu().numpy()
    weights, rests_on = [], []
    for row, episode in enumerate(episodes.tolist()):
        schedule = task.schedule_of(seed, episode)
        asked, steps = np.flatnonzero(schedule.scored), len(schedule.shown)
        if overwritten(step.shape[1], int(asked[0]), len(read)):
            raise ValueError(f"this memory has {step.shape[1]} slots for {len(read)} steps: what it recalled is gone")
        each = over_steps(read[asked, row][None], step[row : row + 1], steps)[0]
        weights.append(by_canvas(each, schedule.shown, known.shape[2]))
        rests_on.append(known[row][schedule.asked[asked]])
    kind = trajectory.info.get(task.group_key) if task.group_key else None
    kinds = np.zeros(len(episodes), np.int64) if kind is None else kind.cpu().numpy()
    assert trajectory.hits is not None, "all of Glimpse's tasks tell the right answers"
    correct = trajectory.hits.all(-1).gather(0, trajectory.last()[None])[0].cpu().numpy()
    return Recalled(np.array(weights), np.array(rests_on), kinds, correct)


class HitRate(NamedTuple):
    """The share of the last hop's read weight, at the scored answers, that lies on what the answers rest on; mean over
    heads, in [0, 1]. Answers that rest on nothing are left out.

    Attributes:
        rate: of all answers.
        by_kind: of each kind of episode that there is, by its number.
    """

    rate: float
    by_kind: dict[int, float]


def recall_hit_rate(agent: Any, env: Any, episodes: int, seed: int, gaze: str = "learned") -> HitRate | None:
    """How much of what is recalled is what the answers rest on.

    None where slots do not hold steps, were overwritten after an answer, or it is not known what answers rest on.

    Args:
        agent: whose memory is watched.
        env: a vector environment of Glimpse's.
        episodes: how many, from 0 on; no more than `WATCHED` are played.
        seed: of the environment.
        gaze: "learned", or a scripted one of the environment's.
    """
    if not recalls_are_known(agent, env.unwrapped.task):
        return None
    shares, kinds = [], []
    for trajectory, kept in play(agent, env, np.arange(min(episodes, WATCHED)), seed=seed, gaze=gaze, watch=True):
        try:
            found = recalled_of(env, seed, trajectory)
        except ValueError:
            return None
        some = found.rests_on[:kept].any(-1)
        shares.append((found.weight * found.rests_on)[:kept].sum(-1)[some])
        kinds.append(np.broadcast_to(found.kind[:kept, None], some.shape)[some])
    share, kind = np.concatenate(shares), np.concatenate(kinds)
    if not len(share):
        return None
    return HitRate(float(share.mean()), {int(k): float(share[kind == k].mean()) for k in np.unique(kind)})
