"""Training and evaluation in other people's environments: `python -m runs.train --env MODULE:ID`."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from agents import AgentConfig, AttentionAgent, Foreign, Outing, OutingScore, evaluate_outing, go_out, losses
from agents.options import parse_options
from runs.distributed import all_mean, world_size
from runs.places import BACK, gaze_noise, random_places
from runs.recipe import Recipe


def make_foreign(recipe: Recipe, batch: int) -> Foreign:
    """The environment that the recipe names, `batch` episodes side by side: its own vector form where it has one.

    Raises:
        ValueError: for an environment that cannot be made, or that the agent cannot be joined to.
    """
    if not isinstance(recipe.agent, AgentConfig):
        raise ValueError("a whole-image network sees Glimpse's own images only")
    if world_size() > 1:
        raise ValueError("in somebody else's environment one process trains: leave --processes out")
    if recipe.gaze in BACK:
        raise ValueError(f'gaze "{recipe.gaze}" looks at the lines of a story: it needs BabiGaze-v0')
    config = recipe.env
    try:
        arguments: dict[str, Any] = {**parse_options(config.arguments)}
        env = gym.make_vec(config.id, num_envs=batch, **arguments)
    except Exception as error:  # whatever other people's code raises
        raise ValueError(f"--env {config.id} could not be made ({type(error).__name__}: {error})") from error
    return Foreign(env, config.names(), config.num_glimpses or 0)


def generator_seed(seed: int, episode: int) -> int:
    """A seed for an environment's generator, below 2**31, when a run of `seed` goes on at this episode."""
    return int(np.random.SeedSequence((seed, episode)).generate_state(1)[0] >> 1)


def foreign_loss(
    recipe: Recipe, agent: AttentionAgent, env: Foreign, numbers: np.ndarray, device: torch.device
) -> tuple[Tensor, dict[str, Tensor]]:
    """Play a batch of episodes and form their loss; what is worth logging of it.

    The environment is seeded once and goes on from batch to batch: to seed it anew may cost more than an episode.
    """
    noise = places = None
    if recipe.gaze == "random":
        places = random_places(recipe.seed, numbers, env.horizon, device, agent.form.motion)
    else:
        noise = gaze_noise(recipe.seed, numbers, env.horizon, device, agent.form.motion)
    first = int(numbers[0])
    outing = go_out(
        agent,
        env,
        seed=None if env.begun else generator_seed(recipe.seed, first),
        std=recipe.deviation(first // recipe.batch),
        noise=noise,
        places=places,
        generator=torch.Generator().manual_seed(generator_seed(recipe.seed, 2**32 + first)),
    )
    loss, scalars = outing_loss(recipe, outing)
    scalars["rollout/ep_rew_mean"] = outing.reward.sum(0).mean()
    scalars["rollout/ep_len_mean"] = outing.alive.sum(0).float().mean()
    if outing.target is not None:
        right = (outing.answer.argmax(-1) == outing.target).float()
        scalars["rollout/success_rate"] = right.gather(0, outing.last()[None]).mean()
    return loss, scalars


def outing_rewards(recipe: Recipe, outing: Outing) -> Tensor:
    """(T, N) rewards of what was drawn at each step, 0 after an end.

    Raises:
        ValueError: where the recipe's reward needs a target and none is told.
    """
    if recipe.reward == "environment":
        return outing.reward
    if outing.target is None:
        raise ValueError(f'reward="{recipe.reward}" needs the right class: name it with --target, or learn from reward')
    rewards = torch.zeros_like(outing.reward)
    if recipe.reward == "gain":
        known = outing.log_likelihood.detach()
        rewards[:-1] = (known[1:] - known[:-1]) * outing.alive[1:]
        return rewards
    right = (outing.answer.argmax(-1) == outing.target).to(rewards.dtype)
    last = outing.last()[None]
    return rewards.scatter(0, last, right.gather(0, last))


def outing_loss(recipe: Recipe, outing: Outing) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy for the answers where a target is known, REINFORCE for all that was drawn, and the baseline.

    The returns of a batch are standardised, so that no environment's unit or offset of reward matters.
    """
    alive = outing.alive
    target = losses.returns(outing_rewards(recipe, outing), recipe.discount)[alive]
    centre = all_mean(target.mean())
    target = (target - centre) / (all_mean((target - centre).square().mean()).sqrt() + 1e-6)
    advantage = target - outing.value.detach()[alive]
    scale = all_mean(advantage.square().mean()).sqrt()
    policy = losses.reinforce(outing.log_prob[alive], advantage / (scale + 1e-6))
    value = losses.baseline(outing.value[alive], target)
    steps = torch.arange(1, len(alive) + 1, device=alive.device)[:, None].expand_as(alive)
    weights = torch.ones_like(outing.reward)
    if recipe.answers == "last":
        weights = (steps == alive.sum(0)).to(weights.dtype)
    elif recipe.answers == "later":
        weights = steps.to(weights.dtype)
    weights = weights[alive] / weights[alive].mean()
    scalars = {
        "train/policy_gradient_loss": policy.detach(),
        "train/value_loss": value.detach(),
        "train/explained_variance": 1 - advantage.var() / (target.var() + 1e-8),
    }
    if outing.target is not None:
        scalars["train/loss"] = -outing.log_likelihood.gather(0, outing.last()[None]).mean().detach()
    return losses.hybrid(weights * outing.log_likelihood[alive], policy, value), scalars


def evaluate_foreign(recipe: Recipe, agent: Any, env: Foreign, episodes: int, *, gaze: str, begin: int) -> OutingScore:
    """How well new episodes go, moving as the policy says or at random.

    Args:
        recipe: of the agent.
        agent: to be evaluated.
        env: where.
        episodes: how many.
        gaze: "learned" or "random".
        begin: seeds the environment.
    """
    device, motion = next(agent.parameters()).device, agent.form.motion

    def anywhere(numbers: np.ndarray) -> Tensor:
        return random_places(recipe.seed, numbers, env.horizon, device, motion)

    seed = generator_seed(begin, 0)
    return evaluate_outing(agent, env, episodes, places=anywhere if gaze == "random" else None, seed=seed)
