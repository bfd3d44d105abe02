"""Whole episodes of other people's environments, played side by side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from agents.agent import AttentionAgent
from agents.evaluation import Places, measuring
from agents.foreign import Foreign
from agents.losses import gaussian_log_prob


class Outing(NamedTuple):
    """N episodes of at most T steps. Time comes first; what follows an end is to be ignored.

    Attributes:
        answer: (T, N, K) logits before each step.
        log_prob: (T, N) of what was drawn: the motions, and the answers where no target is known.
        value: (T, N) baselines of the returns.
        reward: (T, N), the environment's.
        alive: (T, N) bool, the steps that belong to the episode.
        target: (T, N) int64, the right answer at each step; None where the environment does not tell.
        log_likelihood: (T, N) log p_t(target); zero where the environment does not tell.
    """

    answer: Tensor
    log_prob: Tensor
    value: Tensor
    reward: Tensor
    alive: Tensor
    target: Tensor | None
    log_likelihood: Tensor

    def last(self) -> Tensor:
        """(N,) int64, each episode's last step."""
        return self.alive.sum(0) - 1


def go_out(
    agent: AttentionAgent,
    env: Foreign,
    *,
    seed: int | None = None,
    std: float = 0.0,
    noise: Tensor | None = None,
    places: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Outing:
    """Play one episode a row, to the end of the longest.

    Args:
        agent: decides; its parameters get gradients unless this is called under `torch.no_grad`.
        env: where to.
        seed: of the environment's generator; None goes on with it as it is.
        std: standard deviation of the motions around the policy's mean, the bounds of the motion being [-1, 1].
        noise: (T, N, D) standard normal numbers, with `std`.
        places: (T, N, D) motions in place of the policy's.
        generator: draws the answers where the environment tells no target; without one the likeliest is given.

    Raises:
        ValueError: for what an environment shows or tells that cannot be learned from, see `Foreign.step`.
    """
    like = agent.answer.weight
    observation, _ = env.reset(seed=seed)
    state, alive = agent.initial_state(env.num_envs), np.ones(env.num_envs, bool)
    at_once = agent.core is None and torch.is_grad_enabled()
    seen, decisions, moved, given, rewards, lives = [], [], [], [], [], []
    targets: list[np.ndarray] = []
    for step in range(env.horizon):
        seen.append({key: torch.as_tensor(value, device=like.device) for key, value in observation.items()})
        with torch.set_grad_enabled(torch.is_grad_enabled() and not at_once):
            decision = agent(seen[-1], state)
        state = decision.state
        decisions.append(decision)
        motion, answer = decision.location.detach(), decision.answer.detach()
        if places is not None:
            motion = places[step]
        elif noise is not None:
            motion = motion + std * noise[step]
        if generator is not None and not env.names.target:
            drawn = torch.multinomial(answer.softmax(-1).cpu(), 1, generator=generator)[:, 0]
            answer = F.one_hot(drawn, answer.shape[1]).to(like)
        moved.append(motion)
        given.append(answer.argmax(-1))
        lives.append(alive)
        observation, reward, terminated, truncated, info = env.step(
            {"location": motion.cpu().numpy(), "answer": answer.cpu().numpy()}
        )
        rewards.append(np.where(alive, reward, 0.0).astype(np.float32))
        if "target" in info:
            if (info["target"][alive] < 0).any():
                raise ValueError(f"info tells {env.names.target!r} in some episodes only: it must in all, always")
            targets.append(info["target"].clip(0))
        alive = alive & ~(terminated | truncated)
        if not alive.any():
            break
    steps, n = len(seen), env.num_envs
    if at_once:
        agent.sense.eval()  # what is seen a second time is not to be counted again
        decisions = agent.review({key: torch.stack([moment[key] for moment in seen]) for key in seen[0]})
        agent.sense.train(agent.training)
    answer = torch.stack([decision.answer for decision in decisions])
    log_prob = answer.new_zeros(steps, n)
    if places is None and std:
        means = torch.stack([decision.location for decision in decisions])
        log_prob = gaussian_log_prob(torch.stack(moved), means, std)
    target = torch.from_numpy(np.stack(targets)).to(like.device) if targets else None
    likelihood = answer.new_zeros(steps, n)
    if target is not None:
        likelihood = -cross_entropy(answer, target)
    elif generator is not None:
        log_prob = log_prob - cross_entropy(answer, torch.stack(given))
    value = answer.new_zeros(steps, n)
    if agent.baseline is not None:
        known = torch.zeros(steps * n, dtype=torch.int64, device=like.device) if target is None else target.flatten()
        features = torch.cat([decision.features for decision in decisions])
        last = torch.cat([moment["location"] for moment in seen])
        value = agent.baseline(features, last, known, likelihood.flatten()).unflatten(0, (steps, n))
    reward, lived = (torch.from_numpy(np.stack(rows)).to(like.device) for rows in (rewards, lives))
    return Outing(answer, log_prob, value, reward, lived, target, likelihood)


def cross_entropy(answer: Tensor, target: Tensor) -> Tensor:
    """-log p_t(target): (T, N, K) logits and (T, N) int64 to (T, N)."""
    return F.cross_entropy(answer.flatten(0, 1), target.flatten(), reduction="none").unflatten(0, target.shape)


class OutingScore(NamedTuple):
    """How well episodes went.

    Attributes:
        mean_return: mean over episodes of the sum of their rewards.
        error: percent of wrong answers at the last step; None where the environment tells no target.
        error_by_glimpse: percent after each glimpse; an episode that has ended counts with its last answer.
        cross_entropy: mean over episodes of the sum of -log p_t(target), in nats; None without a target.
        steps: mean length.
        episodes: how many were played.
    """

    mean_return: float
    error: float | None
    error_by_glimpse: list[float]
    cross_entropy: float | None
    steps: float
    episodes: int


def evaluate_outing(
    agent: AttentionAgent, env: Foreign, episodes: int, *, places: Places | None = None, seed: int | None = None
) -> OutingScore:
    """Play new episodes, and count rewards and wrong answers.

    Args:
        agent: moves by the mean of its policy, and gives its likeliest answers.
        env: where; as many rows of the last batch as are needed count.
        episodes: how many.
        places: motions instead, for a control.
        seed: of the environment's generator; None goes on with it as it is.

    Raises:
        ValueError: for fewer than one episode.
    """
    total = steps = surprise = 0.0
    wrong = np.zeros(env.horizon, np.int64)
    with measuring(agent, episodes):
        for first in range(0, episodes, env.num_envs):
            numbers = np.arange(first, first + env.num_envs)
            begin = seed if first == 0 else None
            outing = go_out(agent, env, seed=begin, places=places(numbers) if places else None)
            kept = torch.from_numpy(numbers < episodes).to(outing.alive.device)
            total += float(outing.reward.sum(0)[kept].sum())
            steps += float(outing.alive.sum(0)[kept].sum())
            if outing.target is not None:
                surprise -= float((outing.log_likelihood * outing.alive).sum(0)[kept].sum())
                missed = (outing.answer.argmax(-1) != outing.target).long()
                moments = torch.arange(env.horizon, device=missed.device)[:, None].minimum(outing.last())
                wrong += missed.gather(0, moments)[:, kept].sum(1).cpu().numpy()
    known = bool(env.names.target)
    by_glimpse = [round(100 * int(count) / episodes, 4) for count in wrong] if known else []
    error, cross_entropy = (by_glimpse[-1], surprise / episodes) if known else (None, None)
    return OutingScore(total / episodes, error, by_glimpse, cross_entropy, steps / episodes, episodes)
