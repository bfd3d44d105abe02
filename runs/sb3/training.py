"""A training with Stable-Baselines3 and its validations, on Glimpse or on any other registered environment."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import TensorBoardOutputFormat, configure

from agents.nearest import refusing_arguments
from agents.options import parse_options
from agents.sb3 import GlimpseFeatures
from agents.training.checkpoint import write_atomically
from agents.training.finite import all_finite
from agents.training.interruption import interruption
from agents.training.machine import machine_name
from runs.environments import episodes_in, pick_device, task_name
from runs.evaluation import TEST_SEED
from runs.folders import sole_writer
from runs.sb3.environments import make_env, make_training_env
from runs.sb3.play import ModelResult, evaluate_model, play
from runs.traces.pictures import pictures_of
from runs.traces.tensorboard_media import DRAWN, add_traces
from runs.traces.trace import traces_of
from runs.validation import BATCH, VALIDATION_SEED

if TYPE_CHECKING:
    from runs.train_sb3 import Options

POINTS = 100
"""Points of a curve."""

ROLLOUT = {"PPO": 32, "A2C": 8, "RecurrentPPO": 32}
"""Steps of each row between two updates, rounded to whole episodes."""

WIDTH, HIDDEN = 256, 128
"""Width of the features and of the hidden layers; units of the LSTM."""


VALIDATIONS = 20
"""How often a training is validated."""

VALIDATION_EPISODES = 1_000
"""At most; no image or question is shown twice."""


class Stop(BaseCallback):
    """Stops a training where `interrupted` says so."""

    def __init__(self, interrupted: Callable[[], bool]) -> None:
        super().__init__()
        self.interrupted = interrupted

    def _on_step(self) -> bool:
        return not self.interrupted()


class Validation(BaseCallback):
    """Now and then the error on the validation split, and the same few episodes as pictures or text.

    Args:
        options: of the training, on a Glimpse id.

    Attributes:
        results: of all validations, with the steps before each.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.name, self.quiet = f"{options.algorithm} · {options.id}", options.quiet
        self.env, self.drawn = (make_env(options, "validation", count) for count in (BATCH, DRAWN))
        self.every = self.due = max(1, options.steps // VALIDATIONS)
        self.results: list[tuple[int, ModelResult]] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        check_finite(self.model)
        if self.num_timesteps >= self.due:  # just after an update
            self.due = self.num_timesteps + self.every
            self.validate()

    def _on_training_end(self) -> None:
        check_finite(self.model)
        if not self.results or self.results[-1][0] != self.num_timesteps:
            self.validate()

    def validate(self) -> None:
        """Play, write and print."""
        model: Any = self.model
        result = evaluate_model(model, self.env, min(VALIDATION_EPISODES, episodes_in(self.env)), VALIDATION_SEED)
        for key, value in result.scalars.items():
            self.logger.record(key, value)
        words = f"validation error {result.error:.2f} %"
        traces = traces_of(
            play(model, self.drawn, np.arange(DRAWN), VALIDATION_SEED, beliefs=True), self.drawn, VALIDATION_SEED
        )
        for writer in (f.writer for f in self.logger.output_formats if isinstance(f, TensorBoardOutputFormat)):
            add_traces(writer, traces, self.num_timesteps, self.name, f"{self.num_timesteps:,} steps · {words}")
            for number, trace in enumerate(traces):
                if pictures_of(trace).animation is None:
                    writer.add_text(f"trace/{number}/text", pictures_of(trace).table(trace), self.num_timesteps)
        self.logger.dump(self.num_timesteps)
        self.results.append((self.num_timesteps, result))
        if not self.quiet:
            print(f"{self.num_timesteps:>11,} steps   {words}", flush=True)


def check_finite(model: Any) -> None:
    """Refuse to go on once a weight is not finite.

    Raises:
        ValueError: saying what to try.
    """
    if not all_finite(model.policy.parameters()):
        raise ValueError(
            f"the training has diverged: a weight is no longer finite after {model.num_timesteps:,} steps. Nothing is "
            "saved. Try a smaller learning rate (--options learning_rate=1e-4)"
        )


def make_model(options: Options, env: Any, device: torch.device) -> Any:
    """The algorithm with settings that suit short episodes; the options' own come first.

    Raises:
        ModuleNotFoundError: for RecurrentPPO without sb3-contrib.
        ValueError: for arguments that the algorithm does not take.
    """
    recurrent = options.algorithm == "RecurrentPPO"
    algorithm: Any = {"PPO": PPO, "A2C": A2C}.get(options.algorithm)
    if recurrent:
        try:
            from sb3_contrib import RecurrentPPO as algorithm
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("RecurrentPPO needs sb3-contrib: pip install -e '.[sb3]'") from error
    policy: dict[str, Any] = {"net_arch": [] if recurrent else [WIDTH], "activation_fn": torch.nn.ReLU}
    if task_name(options.id) is not None:
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
    kind = "MultiInput" if isinstance(env.observation_space, gym.spaces.Dict) else "Mlp"
    kind += "LstmPolicy" if recurrent else "Policy"
    try:
        with refusing_arguments(algorithm):
            return algorithm(kind, env, policy_kwargs=policy, seed=options.seed, device=device, **arguments)
    except AssertionError as error:
        raise ValueError(f"{options.algorithm} on {options.id}: {error}") from error


def train(options: Options, folder: str | Path) -> dict[str, Any]:
    """Train, and write `model.zip`, `metrics.json` and TensorBoard's curves and pictures to `folder`.

    Args:
        options: what to train; on a Glimpse id, or on another registered one, which is not validated.
        folder: of this run.

    Returns:
        What `metrics.json` holds: `id`, `learner`, `arguments`, `action`, `seed`, `steps`, `seconds` of training,
        `machine`; for a Glimpse id `episodes` and errors in percent of the answers: `validation_error`, `error` on the
        test split; for another `mean_reward`.

    Raises:
        ModuleNotFoundError: for RecurrentPPO without sb3-contrib.
        ValueError: for counts below 1, or arguments that environment or algorithm do not take.
        OSError: where the folder can be written no more.
        KeyboardInterrupt: once the model is saved, where a signal interrupts the training (Ctrl-C, SIGTERM, SIGHUP).
    """
    for count in ("steps", "envs", "test_episodes"):
        if getattr(options, count) < 1:
            raise ValueError(f"--{count.replace('_', '-')} must be at least 1, got {getattr(options, count)}")
    folder, device, name = Path(folder), pick_device(options.device), task_name(options.id)
    env = make_training_env(options)
    validation = None if name is None else Validation(options)
    env.seed(options.seed)
    model = make_model(options, env, device)
    model.set_logger(configure(str(folder), ["tensorboard"]))
    began, rollout = time.monotonic(), model.n_steps * env.num_envs
    with sole_writer(folder), interruption() as interrupted:
        callbacks = [Stop(interrupted), *([] if validation is None else [validation])]
        try:
            model.learn(options.steps, callback=callbacks, log_interval=max(1, options.steps // (POINTS * rollout)))
        finally:
            seconds = time.monotonic() - began
            if all_finite(model.policy.parameters()):
                saved = io.BytesIO()
                model.save(saved)
                write_atomically(saved.getvalue(), folder / "model.zip")
            model.logger.close()
            env.close()
    if interrupted():
        raise KeyboardInterrupt
    metrics: dict[str, Any] = {
        "id": options.id if name is None else f"Glimpse/{name}",
        "learner": options.algorithm,
        "arguments": list(options.task_kwargs),
        "action": options.action,
        "seed": options.seed,
        "steps": model.num_timesteps,
        "seconds": round(seconds, 1),
        "machine": machine_name(device),
    }
    metrics |= test(options, model, validation) if validation else {"mean_reward": mean_reward(options, model)}
    write_atomically((json.dumps(metrics, indent=1) + "\n").encode(), folder / "metrics.json")
    return metrics


def test(options: Options, model: Any, validation: Validation) -> dict[str, Any]:
    """The errors on the test split, and the last one on the validation split."""
    env = make_env(options, "test", BATCH)
    episodes = min(options.test_episodes, episodes_in(env))
    result = evaluate_model(model, env, episodes, TEST_SEED)
    report = {"episodes": episodes, "validation_error": validation.results[-1][1].error, "error": result.error}
    return report | {
        f"{key}_rate": 100 * result.scalars[f"attention/{key}_rate"] for key in env.metadata["episode_metrics"]
    }


def mean_reward(options: Options, model: Any) -> float:
    """Of 100 episodes of an environment that is not Glimpse's."""
    env = make_training_env(options)
    env.seed(VALIDATION_SEED % 2**31)
    reward, _ = evaluate_policy(model, env, 100, warn=False)
    env.close()
    return float(reward)  # type: ignore[arg-type]
