"""Estimators of the policy gradient, by name: from a trajectory to the losses of what was drawn and of the baseline.

All of them are REINFORCE with a baseline (Williams 1992; Mnih et al. 2014, eq. 2); they differ in what a step earns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from agents.training.distributed import all_mean
from agents.trajectory import Trajectory

EPSILON = 1e-6


class PolicyLoss(NamedTuple):
    """What an estimator gives.

    Attributes:
        policy: scalar, whose gradient is the policy gradient.
        value: scalar, the regression of the baseline on the return; 0 without a baseline.
        scalars: what is worth logging.
    """

    policy: Tensor
    value: Tensor
    scalars: dict[str, Tensor]


Estimator = Callable[[Trajectory, Any, float, Tensor], PolicyLoss]
"""From a trajectory, its agent's heads, the discount, and a bonus (Q, N) for each action."""


def returns(rewards: Tensor, discount: float = 1.0) -> Tensor:
    """G_t = r_t + discount G_{t+1} over the first dimension of (T, N) rewards (Sutton & Barto 2018, eq. 3.8)."""
    total, result = torch.zeros_like(rewards[0]), []
    for reward in rewards.flip(0):
        total = reward + discount * total
        result.append(total)
    return torch.stack(result[::-1])


def following(alive: Tensor) -> Tensor:
    """(T, N) bool, the steps that another step of their episode follows."""
    return torch.cat([alive[1:], torch.zeros_like(alive[:1])])


def decisions(trajectory: Trajectory, heads: Any) -> dict[str, Tensor]:
    """(Q, N) bool by part of what was drawn: where it matters. Rows that were led take no part.

    An action that matters only for what follows it does not at an episode's end; an answer without an effect of its
    own, where the environment tells that it does not count, does not either. Their terms would be noise.
    """
    alive = trajectory.alive if trajectory.led is None else trajectory.alive & ~trajectory.led
    counts = trajectory.scored.any() & (not trajectory.answers_act)
    answered = torch.where(counts, trajectory.scored & alive, alive)
    return {
        name: following(alive) if heads[name].acts_on_next else answered if name == "answer" else alive
        for name in trajectory.log_prob
    }


def gains(trajectory: Trajectory) -> Tensor:
    """(T, N), what each step adds to the log-likelihood of the target, as known after the step that follows.

    A step after which another answer is right adds nothing: the two likelihoods are of different things.
    """
    known, target = trajectory.log_likelihood.detach(), trajectory.target
    assert target is not None
    same = (target[1:] == target[:-1]).reshape(*known[1:].shape, target[0, 0].numel()).all(-1)
    return torch.cat([(known[1:] - known[:-1]) * same, torch.zeros_like(known[:1])]) * following(trajectory.alive)


def policy_gradient(trajectory: Trajectory, heads: Any, rewards: Tensor, discount: float) -> PolicyLoss:
    """REINFORCE with a baseline.

    The returns are standardised, so that the unit and the offset of a reward do not matter, and the advantage is
    divided by its root mean square. What was drawn has a term where it matters (`decisions`), and where rows were led,
    the gradient counts as much as the others' share. All means are over all processes, which meet twice; the gradient
    is that of a process's own rows.

    Args:
        trajectory: with the log-probabilities of what was drawn.
        heads: of the agent, by part of the action.
        rewards: (Q, N), 0 after an end.
        discount: of rewards to come.
    """
    masks = decisions(trajectory, heads)
    some = torch.stack(list(masks.values())).any(0)
    target = returns(rewards, discount)
    known = target.double() * some
    sums = [some.sum(), known.sum(), known.square().sum(), *(mask.sum() for mask in masks.values())]
    count, total, square, *counts = all_mean(torch.stack([value.double() for value in sums])).unbind()
    count = count.clamp(min=1)
    centre = total / count
    deviation = (square / count - centre.square()).clamp(min=0).sqrt()
    target = ((target - centre) / (deviation + EPSILON)).to(rewards.dtype)
    value = torch.zeros_like(target) if trajectory.value is None else trajectory.value
    advantage = (target - value).detach() * some
    error, spread = all_mean(torch.stack([advantage.square().sum(), advantage.sum()]) / count).to(rewards.dtype)
    scaled = advantage / (error.sqrt() + EPSILON)
    policy = torch.stack(
        [
            -(trajectory.log_prob[name] * scaled * mask).sum() / number.clamp(min=1).to(rewards.dtype)
            for (name, mask), number in zip(masks.items(), counts, strict=True)
        ]
    ).sum()
    if trajectory.led is not None:
        policy = policy * (1 - trajectory.led.to(policy.dtype).mean())
    loss = ((value - target).square() * some).sum() / count.to(rewards.dtype)
    scalars = {
        "train/policy_gradient_loss": policy.detach(),
        "train/value_loss": loss.detach(),
        "train/explained_variance": 1 - (error - spread.square()),
    }
    return PolicyLoss(policy, loss, scalars)


def reinforce(trajectory: Trajectory, heads: Any, discount: float, bonus: Tensor) -> PolicyLoss:
    """A step earns the environment's own reward."""
    return policy_gradient(trajectory, heads, trajectory.reward + bonus, discount)


def gain(trajectory: Trajectory, heads: Any, discount: float, bonus: Tensor) -> PolicyLoss:
    """A step earns what it adds to the log-likelihood of the target: a dense form of the reward for a right answer.

    Raises:
        ValueError: where the environment tells no target.
    """
    if trajectory.target is None:
        raise ValueError('estimator "gain" needs the right answers: name them with --target, or use "reinforce"')
    return policy_gradient(trajectory, heads, gains(trajectory) + bonus, discount)


ESTIMATORS: dict[str, Estimator] = {"gain": gain, "reinforce": reinforce}
"""Every estimator by its name."""
