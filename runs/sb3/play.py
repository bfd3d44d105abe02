"""A Stable-Baselines3 model at play: its error, and what there is to see of its episodes."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from runs.recording.traces import Trace

DRAWS = 1_000
"""Of the scores of a flat action, to tell how probable each answer is."""


class Played(NamedTuple):
    """N episodes, T steps the longest.

    Attributes:
        observations: T times (N, …); those after an episode's end are of another.
        beliefs: T times (N, K), the probability of each answer; empty unless asked for.
        length: (N,) int64, steps.
        reward: (N,) float64, sums.
        info: what the last steps told, (N, …).
    """

    observations: list[dict[str, np.ndarray]]
    beliefs: list[np.ndarray]
    length: np.ndarray
    reward: np.ndarray
    info: dict[str, np.ndarray]


class Verdict(NamedTuple):
    """What episodes came to.

    Attributes:
        error: percent of wrong answers: 100 (1 - mean return).
        wrong_episodes: percent of those that were not right altogether.
        reward: mean return.
        length: mean number of steps.
        saccade_length: mean distance between fixations; None without a gaze.
        support_hit_rate: percent of the lines an answer rests on that were looked at; None without a story to look at.
    """

    error: float
    wrong_episodes: float
    reward: float
    length: float
    saccade_length: float | None
    support_hit_rate: float | None


def play(model: OnPolicyAlgorithm, env: VectorEnv, episodes: np.ndarray, seed: int, *, believe: bool = False) -> Played:
    """Play one episode a row, at the mode of the policy.

    Args:
        model: PPO, A2C, RecurrentPPO.
        env: a Glimpse vector environment on NumPy in "SameStep" mode, wrapped as the model's.
        episodes: (N,) episode numbers.
        seed: the environment's for every row.
        believe: keep the beliefs too; for `Discrete` answers.
    """
    n = env.num_envs
    observation, _ = env.reset(seed=[seed] * n, options={"episode": episodes})  # type: ignore[arg-type]
    length, reward = np.zeros(n, np.int64), np.zeros(n)
    info: dict[str, np.ndarray] = {}
    observations, beliefs = [], []
    state, start = _first_state(model, n), np.ones(n, dtype=bool)
    while not length.all():
        observations.append(observation)
        if believe:
            beliefs.append(answer_beliefs(model, env, observation, state, start))
        action, state = model.predict(observation, state, start, deterministic=True)
        observation, earned, terminated, truncated, told = env.step(action)
        playing, start = length == 0, terminated | truncated
        reward += np.where(playing, earned, 0.0)
        over = playing & start
        length[over] = len(observations)
        for key, value in told.get("final_info", {}).items():
            if over.any() and not key.startswith("_"):
                kept = info.setdefault(key, np.zeros_like(value))
                kept[over] = value[over]
    return Played(observations, beliefs, length, reward, info)


def judge(model: OnPolicyAlgorithm, env: VectorEnv, episodes: int, seed: int) -> Verdict:
    """Play episodes 0 … episodes - 1 of `seed`, each once, as `agents.evaluate` does. `env` as for `play`.

    Raises:
        ValueError: for fewer than one episode.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    parts: dict[str, list[np.ndarray]] = {}
    for first in range(0, episodes, env.num_envs):
        numbers = np.arange(first, first + env.num_envs)
        played = play(model, env, numbers, seed)
        values = {"reward": played.reward, "length": played.length, **played.info}
        if "location" in played.observations[0] and len(played.observations) > 1:
            path = np.stack([moment["location"] for moment in played.observations])
            values["saccade_length"] = np.linalg.norm(np.diff(path, axis=0), axis=-1).mean(0)
        for key, value in values.items():
            parts.setdefault(key, []).append(value[numbers < episodes])
    mean = {key: float(np.concatenate(part).mean()) for key, part in parts.items() if part[0].ndim == 1}
    hit = mean.get("support_hit")
    return Verdict(
        100 * (1 - mean["reward"]),
        100 * (1 - mean["is_success"]),
        mean["reward"],
        mean["length"],
        mean.get("saccade_length"),
        None if hit is None else 100 * hit,
    )


def record_model(model: OnPolicyAlgorithm, env: VectorEnv, episodes: np.ndarray, seed: int) -> list[Trace]:
    """Play episodes of an image task and keep what there was to see, as `runs.recording.traces.record_episodes` does.

    Args:
        model: PPO, A2C, RecurrentPPO.
        env: as for `play`, with a row for each episode.
        episodes: (N,) episode numbers.
        seed: of the environment.
    """
    task: Any = env.unwrapped.task  # type: ignore[attr-defined]
    env.reset(seed=[seed] * env.num_envs, options={"episode": episodes})  # type: ignore[arg-type]
    canvases = env.unwrapped.canvases()  # type: ignore[attr-defined]
    played = play(model, env, episodes, seed, believe=True)
    glimpses, path = (
        np.stack([moment[key] for moment in played.observations], axis=1) for key in ("glimpse", "location")
    )
    beliefs, target = np.stack(played.beliefs, axis=1), played.info["target"]
    names = tuple(task.names)
    return [
        Trace(
            int(number), canvases[row], glimpses[row], path[row], beliefs[row], int(target[row]), names, task.retina
        )
        for row, number in enumerate(episodes)
    ]  # fmt: skip


def tell_episode(model: OnPolicyAlgorithm, env: gym.Env, episode: int, seed: int) -> str:
    """Play an episode and give its text.

    Args:
        model: PPO, A2C, RecurrentPPO.
        env: a single environment with `render_mode="ansi"`, wrapped as the model's.
        episode: its number.
        seed: of the environment.
    """
    observation, _ = env.reset(seed=seed, options={"episode": episode})
    state, start, over = None, np.ones(1, dtype=bool), False
    while not over:
        action, state = model.predict(observation, state, start, deterministic=True)
        observation, _, terminated, truncated, _ = env.step(action)
        start, over = np.zeros(1, dtype=bool), terminated or truncated
    return str(env.render())


@torch.no_grad()
def answer_beliefs(model: OnPolicyAlgorithm, env: Any, observation: Any, state: Any, start: np.ndarray) -> np.ndarray:
    """(N, K) float32: how probable each `Discrete` answer is under the policy.

    Of a grid of fixations and answers that is what the policy itself tells; of a flat `Box`, how often each answer's
    score is the highest.
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
