"""What tasks return: the outcome of a step, schedules, whole episodes, stories."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glimpse_env.rng import Array

State = dict[str, Array]
"""A batch of episodes: every array has the episode as its first dimension."""


class Schedule(NamedTuple):
    """What is shown and asked at each of the T steps of an episode, the same in every episode.

    Attributes:
        shown: (T,) int64, the number of the canvas; it never falls.
        asked: (T,) int64, the number of the question whose answer is due, or will be due next.
        scored: (T,) bool, whether the answer of the step counts.
    """

    shown: np.ndarray
    asked: np.ndarray
    scored: np.ndarray


class Outcome(NamedTuple):
    """What a step leads to.

    Attributes:
        state: the next state.
        reward: (N,) float32.
        terminated: (N,) bool.
        info: (N, …) arrays, one value a row and key; `target`, `scored` (N,) bool (whether the answer of this step
            counts) and `correct` (N,) bool among them.
    """

    state: State
    reward: Array
    terminated: Array
    info: dict[str, Array]


class Whole(NamedTuple):
    """N whole episodes, T steps of each. The same numbers as stepping through them.

    Attributes:
        observations: (N, T, …) by part, the observation before each step; zero after an episode's end.
        target: (N, T, …), the right answer of each step; zero after the end.
        scored: (N, T) bool, whether the answer of a step counts.
        worth: (N, T) float32, what each right part (bit, class) of a step's answer earns; zero where it does not count.
        length: (N,) int64, steps of each episode.
        info: (N, …), what `reset` returns beside the observation.
    """

    observations: dict[str, Array]
    target: Array
    scored: Array
    worth: Array
    length: Array
    info: dict[str, Array]


class Story(NamedTuple):
    """The stories of N episodes, of at most L lines, and their questions, in the words of the episodes.

    Attributes:
        tokens: (N, L, W) int64, ids of the words of each line; zero after the last line.
        count: (N,) int64, lines of each story.
        question: (N, W) int64.
        support: (N, F) int64, the lines that the answer rests on, from 0, padded with -1.
        target: (N,) int64, the class of the right answer, -1 where it is not known.
        aligned: (N, T) int64, the line that the answer of each step rests on, from 0; -1 where it is not known, and -2
            where no answer counts; None where there is one answer.
    """

    tokens: Array
    count: Array
    question: Array
    support: Array
    target: Array
    aligned: Array | None = None
