"""Episodes of a Stable-Baselines3 model, as trajectories and figures."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from agents import Trajectory
from runs.traces.trace import part_of

DRAWS = 1_000
"""Samples of the scores of a flat action, from which the probability of each answer is estimated."""


class ModelResult(NamedTuple):
    """What episodes came to: the mean share of wrong answers in percent, and figures by TensorBoard's tags."""

    error: float
    scalars: dict[str, float]


def play(model: OnPolicyAlgorithm, env: Any, episodes: np.ndarray, seed: int, *, beliefs: bool = False) -> Trajectory:
    """Play one episode a row, at the mode of the policy.

    Args:
        model: PPO, A2C, RecurrentPPO.
        env: of `runs.sb3.environments.make_env`.
        episodes: (N,) episode numbers.
        seed: the environment's for every row.
        beliefs: estimate the log-probabilities of the classes of an answer too, as its parameters.

    Raises:
        ValueError: for an environment that resets within the step that ends an episode.
    """
    if env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP:
        raise ValueError('an environment that resets within a step hides how its episodes end: use "NextStep"')
    n, by_class = env.num_envs, env.metadata["action_roles"]["answer"] == "class"
    observation, _ = env.reset(seed=[seed] * n, options={"episode": episodes})
    state, start, alive = _first_state(model, n), np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    info = {key: np.zeros(n) for key in env.metadata["episode_metrics"]}
    seen, done, params, columns = [], [], [], []
    while alive.any():
        seen.append(observation)
        if beliefs and by_class:
            params.append(np.log(answer_probabilities(model, env, observation, state, start).clip(1e-9)))
        flat, state = model.predict(observation, state, start, deterministic=True)
        done.append(env.map.to_dict(flat))
        observation, reward, terminated, truncated, outcome = env.step(flat)
        columns.append((reward * alive, alive, outcome["target"], outcome["scored"] & alive, outcome["correct"]))
        start = terminated | truncated
        for key, value in info.items():
            value[alive & start] = outcome[key][alive & start]
        alive = alive & ~start
    actions = {name: _stacked([action[name] for action in done]) for name in done[0]}
    rewards, lived, target, scored, correct = map(_stacked, zip(*columns, strict=True))
    hits = correct[..., None] if env.metadata["judges"] else (actions["answer"] == target).reshape(*lived.shape, -1)
    observations = {name: _stacked([moment[name] for moment in seen]) for name in seen[0]}
    parameters = {"answer": _stacked(params) if params else actions["answer"].float()}
    metrics = {key: torch.from_numpy(value) for key, value in info.items()}
    return Trajectory(
        observations, None, parameters, actions, {}, None, rewards, lived, target, scored,
        torch.zeros(lived.shape), hits, lived.sum(0), metrics, episodes,
    )  # fmt: skip


def evaluate_model(model: OnPolicyAlgorithm, env: Any, episodes: int, seed: int) -> ModelResult:
    """Play episodes 0 to episodes - 1 of `seed`, each once, as `agents.evaluate` does. `env` as for `play`.

    Raises:
        ValueError: for fewer than one episode.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    place = part_of(env.metadata["roles"], "place")
    parts: dict[str, list[np.ndarray]] = {}
    for first in range(0, episodes, env.num_envs):
        numbers = np.arange(first, first + env.num_envs)
        played = play(model, env, numbers, seed)
        missed = (~played.hits & played.scored[..., None]).double().mean(-1)  # type: ignore[operator]
        error = missed.sum(0) / played.scored.sum(0)
        values = {"return": played.reward.sum(0), "length": played.length, "wrong": error > 0, "error": error}
        values |= played.info
        if place:
            values["path"] = played.path(place)
        for key, value in values.items():
            parts.setdefault(key, []).append(value.numpy()[numbers < episodes])
    rows = {key: np.concatenate(part) for key, part in parts.items()}
    path, numbers = rows.pop("path", np.zeros((0, 1))), np.arange(episodes)
    mean = {key: float(values.mean()) for key, values in rows.items()}
    scalars = {
        "eval/success_rate": 1 - mean["wrong"],
        "eval/mean_reward": mean["return"],
        "eval/mean_ep_length": mean["length"],
        **{f"attention/{key}_rate": mean[key] for key in env.metadata["episode_metrics"]},
    }
    if path.shape[1] > 1:
        scalars |= env.unwrapped.task.path_metrics(path, np.full_like(numbers, seed), numbers)
    return ModelResult(100 * mean["error"], scalars)


@torch.no_grad()
def answer_probabilities(
    model: OnPolicyAlgorithm, env: Any, observation: Any, state: Any, start: np.ndarray
) -> np.ndarray:
    """(N, K) float32, the probability of each class of an answer under the policy.

    With a grid of fixations and answers the policy gives it; with a flat `Box` it is how often each answer's score is
    the highest.
    """
    policy: Any = model.policy
    tensors, _ = policy.obs_to_tensor(observation)
    if state is None:
        chosen = policy.get_distribution(tensors)
    else:
        hidden = tuple(torch.as_tensor(part, dtype=torch.float32, device=policy.device) for part in state)
        begins = torch.as_tensor(start, dtype=torch.float32, device=policy.device)
        chosen, _ = policy.get_distribution(tensors, hidden, begins)
    distribution = chosen.distribution
    if isinstance(distribution, list):
        return distribution[-1].probs.float().cpu().numpy()
    motion = env.map.motion
    mean, deviation = (part[:, motion:].cpu().numpy() for part in (distribution.mean, distribution.stddev))
    noise = np.random.default_rng(0).standard_normal((DRAWS, 1, mean.shape[1]))
    best = (mean + deviation * noise).clip(-1, 1).argmax(-1)
    return (best[..., None] == np.arange(mean.shape[1])).mean(0).astype(np.float32)


def _first_state(model: OnPolicyAlgorithm, n: int) -> Any:
    """The state of a recurrent policy before N episodes; None for another."""
    lstm = getattr(model.policy, "lstm_actor", None)
    if lstm is None:
        return None
    return tuple(np.zeros((lstm.num_layers, n, lstm.hidden_size), np.float32) for _ in range(2))


def _stacked(rows: Any) -> torch.Tensor:
    return torch.from_numpy(np.stack(rows))
