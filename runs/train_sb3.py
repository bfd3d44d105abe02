"""Train with Stable-Baselines3: `python -m runs.train_sb3 PPO|A2C|RecurrentPPO ID [--steps N] [--envs N] …`."""

from __future__ import annotations

import io
import json
import sys
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import torch
import tyro
from gymnasium.vector import VectorEnv

from agents.checkpoint import write_atomically
from agents.options import parse_options
from glimpse_env.tasks import TASKS
from glimpse_env.wrappers import FlatAction, GridAction, VectorFlatAction, VectorGridAction
from runs.environments import episodes_in, pick_device, split_kwargs
from runs.evaluate import TEST_SEED
from runs.gallery import DRAWN
from runs.machine import machine_name
from runs.summaries import check_writable
from runs.train import LOGS
from runs.validation import VALIDATION_SEED

Algorithm = Literal["PPO", "A2C", "RecurrentPPO"]

VALIDATIONS = 20
"""How often a training is validated."""

POINTS = 100
"""Of a curve."""

BATCH = 250
"""Episodes side by side in an evaluation."""

ROLLOUT = {"PPO": 32, "A2C": 8, "RecurrentPPO": 32}
"""Steps of each row between two updates, or about so many: whole episodes."""

WIDTH = 256
"""Of what is seen, and of the hidden layers."""

HIDDEN = 128
"""Of the LSTM."""


@dataclass(frozen=True)
class Options:
    """What `python -m runs.train_sb3` takes."""

    algorithm: tyro.conf.Positional[Algorithm]
    """Of Stable-Baselines3; RecurrentPPO is sb3-contrib's."""
    id: tyro.conf.Positional[str]
    """Of the environment: Glimpse/ClutteredMNIST-v0, or any other registered one."""
    steps: int = 1_000_000
    """Steps of the environment to train for, all rows together."""
    envs: int = 256
    """Episodes side by side."""
    action: Literal["grid", "box"] = "grid"
    """Grid: MultiDiscrete, a cell to look at and an answer. Box: a place and a score for each answer."""
    grid: tuple[int, ...] = (9,)
    """Cells along each dimension of a location: one number, or one for each."""
    task_kwargs: tuple[str, ...] = ()
    """Arguments of the environment, as task=1 size=10k."""
    options: tuple[str, ...] = ()
    """Arguments of the algorithm, as learning_rate=3e-4 n_epochs=8."""
    seed: int = 1
    """Of the weights, the episodes and the actions drawn."""
    folder: Path | None = None
    """Where to write; None is runs/logs/<algorithm>-<environment>-<seed>-<time>."""
    device: str = "cpu"
    """"auto", "cpu", "cuda", … A network this small is fastest on the CPU."""
    test_episodes: int = 2_000
    """Episodes of the test split that are counted at the end, at most as many as it has."""
    quiet: bool = False
    """Print nothing on the way."""


def make_env(options: Options, split: str, count: int, **overrides: Any) -> VectorEnv:
    """The Glimpse environment with `count` rows on NumPy, as Stable-Baselines3 wants it."""
    name = options.id.removeprefix("Glimpse/")
    kwargs = split_kwargs(name, split, {**parse_options(options.task_kwargs), **overrides})
    env = gym.make_vec(f"glimpse_env:{options.id}", num_envs=count, autoreset_mode="SameStep", **kwargs)
    return VectorGridAction(env, grid_of(options)) if options.action == "grid" else VectorFlatAction(env)


def make_teller(options: Options, split: str) -> gym.Env:
    """The same as a single environment that tells its episodes in text."""
    name = options.id.removeprefix("Glimpse/")
    kwargs = split_kwargs(name, split, dict(parse_options(options.task_kwargs)))
    env = gym.make(f"glimpse_env:{options.id}", render_mode="ansi", **kwargs)
    return GridAction(env, grid_of(options)) if options.action == "grid" else FlatAction(env)


def grid_of(options: Options) -> int | tuple[int, ...]:
    """One number, or one for each dimension."""
    return options.grid[0] if len(options.grid) == 1 else options.grid


def make_model(options: Options, env: Any, device: torch.device) -> Any:
    """The algorithm with settings that suit short episodes, and the options' own in their place.

    Raises:
        ModuleNotFoundError: for RecurrentPPO without sb3-contrib.
        ValueError: for arguments that the algorithm does not take.
    """
    from stable_baselines3 import A2C, PPO

    from agents.sb3 import GlimpseFeatures

    recurrent, known = options.algorithm == "RecurrentPPO", isinstance(env.observation_space, gym.spaces.Dict)
    algorithm: Any = {"PPO": PPO, "A2C": A2C}.get(options.algorithm)
    if recurrent:
        try:
            from sb3_contrib import RecurrentPPO as algorithm
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("RecurrentPPO needs sb3-contrib: pip install -e '.[sb3]'") from error
    policy: dict[str, Any] = {"net_arch": [] if recurrent else [WIDTH], "activation_fn": torch.nn.ReLU}
    if options.id.startswith("Glimpse/"):
        policy |= {"features_extractor_class": GlimpseFeatures, "features_extractor_kwargs": {"width": WIDTH}}
    if recurrent:
        policy |= {"lstm_hidden_size": HIDDEN, "shared_lstm": True, "enable_critic_lstm": False}
    horizon = (env.get_attr("metadata")[0] or {}).get("horizon", 1)
    steps = horizon * max(1, round(ROLLOUT[options.algorithm] / horizon))
    arguments: dict[str, Any] = {"n_steps": steps, "ent_coef": 0.01}
    if options.algorithm != "A2C":
        parts = next(count for count in (8, 4, 2, 1) if steps * options.envs % count == 0)
        arguments |= {"learning_rate": 1e-3, "n_epochs": 4, "batch_size": steps * options.envs // parts}
    arguments |= parse_options(options.options)
    kind = ("MultiInput" if known else "Mlp") + ("LstmPolicy" if recurrent else "Policy")
    try:
        return algorithm(kind, env, policy_kwargs=policy, seed=options.seed, device=device, **arguments)
    except (TypeError, AssertionError) as error:
        raise ValueError(f"{options.algorithm} on {options.id}: {error}") from error


def train(options: Options, folder: str | Path) -> dict[str, Any]:
    """Train, and write `model.zip`, `metrics.json` and TensorBoard's curves and traces to `folder`.

    Args:
        options: what to train; on a Glimpse id, or on another registered one, which is not validated.
        folder: of this run.

    Returns:
        What `metrics.json` holds: `id`, `learner`, `arguments`, `action`, `seed`, `steps`, `seconds` of training,
        `machine`; for a Glimpse id `episodes` and errors in percent of the answers: `validation_error`, `error` on the
        test split; for another `mean_reward`.

    Raises:
        ModuleNotFoundError: where Stable-Baselines3 is not installed.
        ValueError: for arguments that environment or algorithm do not take.
    """
    from agents.sb3 import GymVecEnv

    folder, device, glimpse = Path(folder), pick_device(options.device), options.id.startswith("Glimpse/")
    from stable_baselines3.common.logger import configure  # after agents.sb3, which says what to install
    from stable_baselines3.common.vec_env import VecMonitor

    callback: Any = None
    if glimpse:
        check_id(options)
        env: Any = VecMonitor(GymVecEnv(make_env(options, "train", options.envs)))
        callback = make_callback(options)
    else:
        env = make_other(options)
    env.seed(options.seed)
    model = make_model(options, env, device)
    model.set_logger(configure(str(folder), ["tensorboard"]))
    began, rollout = time.monotonic(), model.n_steps * env.num_envs
    try:
        model.learn(options.steps, callback=callback, log_interval=max(1, options.steps // (POINTS * rollout)))
    finally:
        seconds = time.monotonic() - began
        saved = io.BytesIO()
        model.save(saved)
        write_atomically(saved.getvalue(), folder / "model.zip")
        model.logger.close()
        env.close()
    metrics: dict[str, Any] = {
        "id": options.id,
        "learner": options.algorithm,
        "arguments": list(options.task_kwargs),
        "action": options.action,
        "seed": options.seed,
        "steps": model.num_timesteps,
        "seconds": round(seconds, 1),
        "machine": machine_name(device),
    }
    metrics |= test(options, model, callback) if glimpse else {"mean_reward": mean_reward(options, model)}
    write_atomically((json.dumps(metrics, indent=1) + "\n").encode(), folder / "metrics.json")
    return metrics


def make_callback(options: Options) -> Any:
    """What validates a Glimpse training."""
    from runs.sb3.log import Validation

    env = make_env(options, "validation", BATCH)
    teller = (lambda: make_teller(options, "validation")) if "ansi" in env.metadata["render_modes"] else None
    name = f"{options.algorithm} · {options.id}"
    gallery = make_env(options, "validation", DRAWN)
    return Validation(name, env, gallery, teller, max(1, options.steps // VALIDATIONS), quiet=options.quiet)


def test(options: Options, model: Any, callback: Any) -> dict[str, Any]:
    """The errors on the test split, and the last on the validation split."""
    from runs.sb3.play import judge

    env = make_env(options, "test", BATCH)
    episodes = min(options.test_episodes, episodes_in(env))
    verdict = judge(model, env, episodes, TEST_SEED)
    report = {"episodes": episodes, "validation_error": callback.verdicts[-1][1].error, "error": verdict.error}
    if verdict.support_hit_rate is not None:
        report["support_hit_rate"] = verdict.support_hit_rate
    return report


def make_other(options: Options) -> Any:
    """Another registered environment, by Stable-Baselines3's own means.

    Raises:
        ValueError: for an unknown id or arguments it does not take.
    """
    from stable_baselines3.common.env_util import make_vec_env

    try:
        return make_vec_env(options.id, options.envs, env_kwargs=dict(parse_options(options.task_kwargs)))
    except (gym.error.Error, TypeError) as error:
        raise ValueError(f"{options.id}: {error}") from error


def mean_reward(options: Options, model: Any) -> float:
    """Of 100 episodes of an environment that is not ours."""
    from stable_baselines3.common.evaluation import evaluate_policy

    env = make_other(options)
    env.seed(VALIDATION_SEED % 2**31)
    reward, _ = evaluate_policy(model, env, 100, warn=False)
    env.close()
    return float(reward)  # type: ignore[arg-type]


def check_id(options: Options) -> None:
    """See that the task exists, and that the counts are counts.

    Raises:
        ValueError: where not.
    """
    if options.id.removeprefix("Glimpse/") not in TASKS:
        raise ValueError(f"{options.id} is unknown: Glimpse has {', '.join(f'Glimpse/{name}' for name in TASKS)}")
    for name in ("steps", "envs", "test_episodes"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(options, name)}")


def main() -> None:
    """The command line."""
    options = tyro.cli(Options)
    options = replace(options, id=options.id.removeprefix("glimpse_env:"))
    name = options.id.replace("/", "-")
    folder = options.folder or LOGS / f"{options.algorithm}-{name}-{options.seed}-{datetime.now():%Y%m%d-%H%M%S}"
    if options.device == "cpu":
        torch.set_num_threads(1)
    try:
        check_writable(folder)
        metrics = train(options, folder)
    except (ValueError, TypeError, ModuleNotFoundError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print(f"\ninterrupted; the model as it was is {folder / 'model.zip'}")
        sys.exit(130)
    told = "error" in metrics
    result = f"test error {metrics['error']:.2f} %" if told else f"mean reward {metrics['mean_reward']:.1f}"
    pace = metrics["steps"] / metrics["seconds"]
    print(f"{metrics['steps']:,} steps in {metrics['seconds'] / 60:.1f} minutes ({pace:,.0f} a second): {result}")
    print(f"  model, metrics and logs  {folder}")


if __name__ == "__main__":
    main()
