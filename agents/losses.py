"""The losses of hard attention, one formula each. All are means over the batch; shapes are (T, N), time first."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def gaussian_log_prob(sample: Tensor, mean: Tensor, std: Tensor | float) -> Tensor:
    """log N(sample; mean, std² I) of the locations as they were drawn, before any clipping to the canvas.

    Args:
        sample: (..., 2), without gradient.
        mean: (..., 2), with gradient: this is the only road by which the policy learns.
        std: standard deviation, positive; a number, or one a row.

    Returns:
        (...,) log-probabilities, without the constant that no gradient depends on.
    """
    return -(((sample.detach() - mean) / std) ** 2).sum(-1) / 2


def log_likelihood(logits: Tensor, target: Tensor) -> Tensor:
    """log p_t(target): (T, N, K) logits and (N,) int64 targets to (T, N)."""
    steps, n, classes = logits.shape
    losses = F.cross_entropy(logits.reshape(-1, classes), target.repeat(steps), reduction="none")
    return -losses.reshape(steps, n)


def returns(rewards: Tensor, discount: float = 1.0) -> Tensor:
    """G_t = r_t + discount G_{t+1} over the first dimension of (T, N) rewards (Sutton & Barto 2018, eq. 3.8)."""
    total, result = torch.zeros_like(rewards[0]), []
    for reward in rewards.flip(0):
        total = reward + discount * total
        result.append(total)
    return torch.stack(result[::-1])


def reinforce(log_prob: Tensor, advantage: Tensor) -> Tensor:
    """- mean of log π(l_t | s_t) A_t (Williams 1992; Mnih et al. 2014, eq. 2).

    Args:
        log_prob: (T - 1, N), of the locations that were looked at. The one chosen after the last glimpse is never
            looked at, and a term for it would be pure noise.
        advantage: (T - 1, N) returns minus baselines; no gradient passes through it.
    """
    return -(log_prob * advantage.detach()).mean()


def baseline(value: Tensor, target: Tensor) -> Tensor:
    """Mean of (b_t - G_t)², the regression of the baseline on the return (Mnih et al. 2014, section 3.2)."""
    return F.mse_loss(value, target.detach())


def hybrid(answer_log_likelihood: Tensor, policy: Tensor, value: Tensor, value_weight: float = 0.5) -> Tensor:
    """Cross-entropy for the answer, REINFORCE for the gaze, regression for the baseline.

    Mnih et al. 2014, section 3.2.

    Args:
        answer_log_likelihood: log p_t(target) of the glimpses whose answers are trained.
        policy: scalar, from `reinforce`.
        value: scalar, from `baseline`.
        value_weight: weight of the regression.
    """
    return -answer_log_likelihood.mean() + policy + value_weight * value
