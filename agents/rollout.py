"""Whole episodes, played in lockstep on the device."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.agent import AttentionAgent
from agents.loading import Agent
from agents.lockstep import Lockstep
from agents.losses import gaussian_log_prob, log_likelihood


class Rollout(NamedTuple):
    """N episodes of T glimpses. Time comes first.

    Attributes:
        answer: (T, N, K) logits after each glimpse. With gradient, those of an agent that imagines have none before the
            last, and are zeros there where the places were given.
        location: (T, N, D) the fixations, the first chosen by the environment.
        log_prob: (T - 1, N) of the locations that were drawn and then looked at.
        value: (T - 1, N) baselines of those locations.
        log_likelihood: (T, N) log p_t(target).
        target: (N,) int64.
        support_hit: (N,) share of the supporting lines that were looked at, where the environment tells; else None.
    """

    answer: Tensor
    location: Tensor
    log_prob: Tensor
    value: Tensor
    log_likelihood: Tensor
    target: Tensor
    support_hit: Tensor | None = None


def play(
    agent: Agent,
    env: Any,
    episodes: np.ndarray,
    *,
    seed: int | None = None,
    std: float = 0.0,
    noise: Tensor | None = None,
    places: Tensor | None = None,
) -> Rollout:
    """Play one episode a row, all of the same length.

    Args:
        agent: decides; its parameters get gradients unless this is called under `torch.no_grad`.
        env: from `gym.make` or `gym.make_vec`, in any mode and on any backend; on torch it is fastest.
        episodes: (N,) episode numbers.
        seed: the environment's seed for every row; None keeps the one it has.
        std: standard deviation of the locations around the policy's mean, in the policy's unit; 0 looks at the mean.
        noise: (T - 1, N, D) standard normal numbers, with `std`.
        places: (T - 1, N, D) where to look, in place of the policy: random, or anybody's choice.

    Raises:
        ValueError: for a positive `std` without `noise`.
    """
    if std and noise is None and places is None:
        raise ValueError("std needs noise: pass (T - 1, N, D) standard normal numbers")
    lockstep = Lockstep(env, next(agent.parameters()).device)
    n, steps = lockstep.num_envs, lockstep.horizon
    observation, info = lockstep.reset(seed, episodes)
    target = info["target"]
    at_once = isinstance(agent, AttentionAgent) and agent.core is None and torch.is_grad_enabled()
    state = agent.initial_state(n)
    decisions, samples, seen = [], [], []
    waiting = places is None or not at_once  # otherwise all is decided at the end, at once
    for step in range(steps):
        seen.append(observation)
        if waiting and not (at_once and step == steps - 1):
            with torch.set_grad_enabled(torch.is_grad_enabled() and not at_once):
                decision = agent(observation, state)
            state = decision.state
            decisions.append(decision)
        if step == steps - 1:
            break
        if places is not None:
            location = places[step]
        else:
            mean = decision.location.detach()
            location = mean + std * decision.unit * noise[step] if noise is not None else mean
        samples.append(location)
        answer = decision.answer.detach().argmax(-1) if waiting else torch.zeros_like(target)
        observation, info = lockstep.step({"location": location, "answer": answer})
    if at_once and isinstance(agent, AttentionAgent):
        observations = {key: torch.stack([moment[key] for moment in seen]) for key in seen[0]}
        decisions = agent.review(observations, decisions)
    answer = torch.stack([decision.answer for decision in decisions])
    locations = torch.stack([moment["location"] for moment in seen])
    likelihood = log_likelihood(answer, target)
    log_prob = value = likelihood[:0]
    if samples and std and places is None and isinstance(agent, AttentionAgent) and agent.baseline is not None:
        chosen = decisions[:-1]
        unit = chosen[0].unit
        deviation = std * (torch.stack([d.unit for d in chosen]) if isinstance(unit, Tensor) else unit)
        log_prob = gaussian_log_prob(torch.stack(samples), torch.stack([d.location for d in chosen]), deviation)
        value = agent.baseline(
            torch.cat([d.features for d in chosen]),
            locations[:-1].flatten(0, 1),
            target.repeat(steps - 1),
            likelihood[:-1].reshape(-1),
        ).reshape(steps - 1, n)
    return Rollout(answer, locations, log_prob, value, likelihood, target, info.get("support_hit"))
