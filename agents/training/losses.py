"""What a training minimises: one loss for every trajectory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents.training.distributed import all_mean
from agents.training.estimators import ESTIMATORS, decisions, following
from agents.training.recipe import Recipe
from agents.trajectory import Trajectory

VALUE_WEIGHT = 0.5
"""Weight of the baseline's regression."""


def answer_weights(kind: str, trajectory: Trajectory) -> Tensor:
    """(Q, N) float32, how much cross-entropy counts each answer.

    Args:
        kind: "scored", "all", or "later": each by its number, since the first answers cannot know much, and their
            errors would outweigh those that count.
        trajectory: of these answers.
    """
    if kind == "scored":
        return trajectory.scored.to(torch.float32)
    alive = trajectory.alive.to(torch.float32)
    if kind == "all":
        return alive
    return alive * torch.arange(1, len(alive) + 1, device=alive.device)[:, None]


def cross_entropies(trajectory: Trajectory, weights: Tensor) -> Tensor:
    """Weighted means of -log p(target) over all answers, or bits of answers, of all processes: (K,) in nats.

    Args:
        trajectory: of these answers.
        weights: (K, Q, N), of each mean.
    """
    assert trajectory.hits is not None
    parts = trajectory.hits.shape[-1]
    totals = all_mean(weights.sum((1, 2))).clamp(min=1e-6)
    return -(weights * trajectory.log_likelihood).sum((1, 2)) / (parts * totals)


def beyond(trajectory: Trajectory, heads: Any) -> Tensor:
    """Mean over what was drawn of how far its parameters ask for what no action can do: see `Head.beyond`."""
    alive = trajectory.alive.to(torch.float32)
    total = alive.new_zeros(())
    for name in trajectory.log_prob:
        distance = heads[name].beyond(trajectory.params[name])
        if distance is not None:
            total = total + (distance * alive).sum() / alive.sum()
    return total


def entropy(trajectory: Trajectory, heads: Any) -> Tensor:
    """Mean entropy in nats of what was drawn, where it matters, of all parts together: see `Head.entropy`."""
    total = trajectory.reward.new_zeros(())
    for name, counts in decisions(trajectory, heads).items():
        each = heads[name].entropy(trajectory.params[name])
        if each is not None:
            total = total + (each * counts).sum() / all_mean(counts.sum().to(torch.float32)).clamp(min=1)
    return total


def imitation(trajectory: Trajectory, place: str) -> Tensor:
    """Mean of -log p over the places that the oracle looks at, in nats, times the share of rows that it led.

    It learns what to do where its own looks take it (Ross, Gordon & Bagnell 2011, "DAgger"). So the other rows count
    too. Of the rows that were led, only those decisions count at which the oracle moves on: at others it looks there
    already, and they would teach to stay wherever one is.
    """
    assert trajectory.led is not None
    assert trajectory.moved is not None
    counts = (following(trajectory.alive) & (trajectory.moved | ~trajectory.led)).to(torch.float32)
    share = trajectory.led.to(torch.float32).mean()
    return -share * (trajectory.demonstrated[place] * counts).sum() / all_mean(counts.sum()).clamp(min=1)


def trajectory_loss(
    recipe: Recipe, agent: Any, trajectory: Trajectory, bonus: Tensor | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy for answers whose target is known, and the policy gradient for what was drawn.

    Mnih et al. 2014, section 3.2. An answer learns from its target, or with `answer_signal="reward"` by REINFORCE
    alone.

    Args:
        recipe: weights, estimator, discount.
        agent: that acted.
        trajectory: with gradient.
        bonus: (Q, N) beside the reward, for each action, such as that of a saliency prior.

    Returns:
        The loss, and what is worth logging.

    Raises:
        ValueError: where nothing can be learned from.
    """
    scalars = {
        "rollout/ep_rew_mean": trajectory.reward.sum(0).mean(),
        "rollout/ep_len_mean": trajectory.length.to(torch.float32).mean(),
    }
    drawn = trajectory.log_prob
    if trajectory.hits is None and ("answer" not in drawn if "answer" in agent.heads else not drawn):
        raise ValueError(
            "there is nothing to learn an answer from: info has no target, and no answer was drawn; learn it from "
            'reward (answer_signal="reward")'
        )
    loss = trajectory.log_likelihood.new_zeros(())
    if trajectory.hits is not None:
        scored = trajectory.scored.to(torch.float32)
        learned = answer_weights(recipe.answer_weights, trajectory)
        if trajectory.found is not None:
            learned = learned * torch.where(trajectory.found, 1.0, recipe.unfound_weight)
        shown, learned_loss = cross_entropies(trajectory, torch.stack([scored, learned]))
        scalars["train/loss"] = shown.detach()
        right = (trajectory.hits.to(torch.float32).mean(-1) * scored).sum() / scored.sum().clamp(min=1)
        scalars["rollout/success_rate"] = right
        if recipe.answer_signal == "target":
            loss = loss + learned_loss
    if drawn:
        extra = torch.zeros_like(trajectory.reward) if bonus is None else bonus
        policy = ESTIMATORS[recipe.estimator](trajectory, agent.heads, recipe.discount, extra)
        loss = loss + policy.policy + VALUE_WEIGHT * policy.value
        if recipe.edge_weight:
            loss = loss + recipe.edge_weight * beyond(trajectory, agent.heads)
        scalars |= policy.scalars
        if recipe.entropy_weight:
            spread = entropy(trajectory, agent.heads)
            loss = loss - recipe.entropy_weight * spread
            scalars["train/entropy"] = spread.detach()
        if trajectory.led is not None and (place := agent.place_part()) in drawn:
            copied = imitation(trajectory, place)
            loss = loss + copied
            scalars["train/imitation_loss"] = copied.detach()
    return loss, scalars
