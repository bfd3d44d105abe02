"""What a training minimises: the losses of episodes that were played, and of episodes that were read."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from agents import Reading, Rollout, losses
from agents.reading import answer_log_likelihood
from runs.distributed import all_mean
from runs.recipe import Recipe


def gaze_returns(recipe: Recipe, rollout: Rollout, guided: Tensor | None = None) -> Tensor:
    """(T - 1, N) returns of the locations looked at, by the recipe's reward and the guide's values (T - 1, N) there."""
    bonus = torch.zeros_like(rollout.value) if guided is None else recipe.guide_weight * guided
    if recipe.reward == "gain":
        known = rollout.log_likelihood.detach()
        return losses.returns(known[1:] - known[:-1] + bonus, recipe.discount)
    right = (rollout.answer[-1].argmax(-1) == rollout.target).to(rollout.value.dtype)
    return right + losses.returns(bonus, recipe.discount)


def trained_answers(recipe: Recipe, log_likelihood: Tensor) -> Tensor:
    """The (T, N) log-likelihoods that cross-entropy takes the mean of, weighted as the recipe says."""
    if recipe.answers == "last":
        return log_likelihood[-1:]
    if recipe.answers == "all":
        return log_likelihood
    steps = len(log_likelihood)
    weights = torch.arange(1, steps + 1, device=log_likelihood.device) * (2 / (steps + 1))  # of mean 1
    return log_likelihood * weights[:, None]


def total_loss(recipe: Recipe, rollout: Rollout, guided: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a rollout, and what is worth logging of it; `guided` as in `gaze_returns`."""
    likelihood = trained_answers(recipe, rollout.log_likelihood)
    scalars = {"train/loss": -rollout.log_likelihood[-1].mean().detach()}
    if not len(rollout.log_prob):
        return -likelihood.mean(), scalars
    target = gaze_returns(recipe, rollout, guided)
    advantage = target - rollout.value.detach()
    # Over all processes, so that several make the same step as one.
    scale = all_mean(advantage.square().mean()).sqrt()
    policy = losses.reinforce(rollout.log_prob, advantage / (scale + 1e-6))
    value = losses.baseline(rollout.value, target)
    scalars["train/policy_gradient_loss"] = policy.detach()
    scalars["train/value_loss"] = value.detach()
    scalars["train/explained_variance"] = 1 - advantage.var() / (target.var() + 1e-8)
    return losses.hybrid(likelihood, policy, value), scalars


def answer_loss(recipe: Recipe, reading: Reading, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of episodes that were read, and what is worth logging of it.

    With `learn="reward"` an answer is drawn, and only whether it was right is told (Williams 1992).
    """
    # Over all processes, of which one may have longer episodes, so that several make the same step as one.
    answers = all_mean(torch.tensor(float(reading.target.numel()), device=reading.logits.device))
    scalars = {"train/loss": -reading.log_likelihood.detach().sum() / answers}
    if recipe.learn == "target":
        return -reading.log_likelihood.sum() / answers, scalars
    if reading.target.dim() > 1:
        chance = torch.rand(reading.logits.shape, generator=generator).to(reading.logits.device)
        drawn = (chance < torch.sigmoid(reading.logits)).to(torch.int64)
        right = (drawn == reading.target).to(reading.logits.dtype)
        likelihood = -F.binary_cross_entropy_with_logits(reading.logits, drawn.float(), reduction="none")
    else:
        drawn = torch.multinomial(reading.logits.detach().softmax(-1).cpu(), 1, generator=generator)[:, 0]
        drawn = drawn.to(reading.logits.device)
        right = (drawn == reading.target).to(reading.logits.dtype)
        likelihood = answer_log_likelihood(reading.logits, drawn)
    scalars["rollout/ep_rew_mean"] = right.mean()
    return losses.reinforce(likelihood, right - all_mean(right.mean())), scalars
