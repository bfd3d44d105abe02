"""Whole episodes that wait for no gaze: read first, then answered all at once."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from agents.agent import AttentionAgent
from agents.lockstep import Lockstep


class Reading(NamedTuple):
    """N episodes of at most T steps, and the M answers in them that count.

    Attributes:
        logits: (M, K), over the classes or of the bits.
        target: (M,) int64 classes, -1 where the right one is unknown to the agent; or (M, K) bits.
        row: (M,) int64, the episode of each answer.
        log_likelihood: (M,) log p(target), of all its bits together.
        info: what `reset` told, (N, …).
    """

    logits: Tensor
    target: Tensor
    row: Tensor
    log_likelihood: Tensor
    info: dict[str, Tensor]

    def right(self) -> Tensor:
        """(M,) or (M, K) bool, the answers, or bits of answers, that are right."""
        if self.target.dim() == 1:
            return self.logits.argmax(-1) == self.target
        return (self.logits > 0) == (self.target > 0)


def answer_log_likelihood(logits: Tensor, target: Tensor) -> Tensor:
    """log p(target) in nats.

    Args:
        logits: (M, K).
        target: (M,) int64 classes (-1 counts as 0: it is wrong whatever is said), or (M, K) bits.

    Returns:
        (M,).
    """
    if target.dim() == 1:
        return -F.cross_entropy(logits, target.clamp(min=0), reduction="none")
    return -F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none").sum(-1)


def bits_per_sequence(reading: Reading, episodes: int) -> Tensor:
    """Mean over episodes of the sum of -log2 p(target) over their answers (Graves et al. 2014, section 4)."""
    return -reading.log_likelihood.sum() / (math.log(2) * episodes)


def asked_steps(scored: Tensor) -> tuple[Tensor, Tensor]:
    """The steps that are to be answered, side by side.

    Args:
        scored: (T, N) bool.

    Returns:
        (Q, N) int64, the scored steps of each row from the first, Q the most of any row; and (Q, N) bool, which of them
        are: rows with fewer are filled up with other steps.
    """
    count = scored.sum(0)
    asked = torch.argsort(scored.to(torch.int8), dim=0, descending=True, stable=True)[: int(count.max())]
    return asked, torch.arange(len(asked), device=scored.device)[:, None] < count


def read(agent: AttentionAgent, env: Any, episodes: np.ndarray, *, seed: int | None = None) -> Reading:
    """Read one episode a row, to the end of the longest.

    Args:
        agent: answers; its parameters get gradients unless this is called under `torch.no_grad`.
        env: from `gym.make` or `gym.make_vec`, on any backend, in "NextStep" mode: episodes end at different times, and
            what follows an end is ignored.
        episodes: (N,) episode numbers.
        seed: the environment's seed for every row; None keeps the one it has.

    Raises:
        ValueError: for a vector environment in another mode.
    """
    lockstep = Lockstep(env, next(agent.parameters()).device)
    story = lockstep.record(seed, episodes)
    asked, counts = asked_steps(story.scored)
    logits = agent.answer(agent.unroll(story.observations, asked)[counts])
    target = story.target.take_along_dim(asked.reshape(*asked.shape, *[1] * (story.target.dim() - 2)), 0)[counts]
    row = counts.nonzero()[:, 1]
    return Reading(logits, target, row, answer_log_likelihood(logits, target), story.info)
