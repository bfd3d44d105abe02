"""The training loop: updates, validations, checkpoints, and a clean stop between updates."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from agents.names import names_in
from agents.training.checkpoint import load_checked, save_atomically, write_atomically
from agents.training.distributed import agreed, meet, process_group, rank, world_size
from agents.training.interruption import interruption
from agents.training.machine import machine_name
from agents.training.recipe import Recipe
from agents.training.trainer import Prior, Trainer, share_of, train_update

VALIDATIONS = 20
"""How often a training is validated; the weights with the least error are kept."""

SAVE_SECONDS = 60.0
"""Between two checkpoints."""

ASK_EVERY = 10
"""Updates between which the processes ask whether to stop, and whether all is finite."""


class Log(Protocol):
    """What one process, the first, shows and writes of a training."""

    def update(self, scalars: dict[str, Tensor]) -> None:
        """After every update."""

    def validate(self) -> float:
        """Measure what is to be least: the validation error, or minus the return."""

    def close(self) -> None:
        """At the end."""


def train(
    recipe: Recipe,
    folder: str | Path,
    make_env: Callable[..., Any],
    make_log: Callable[[Trainer], Log],
    *,
    device: torch.device,
    make_prior: Callable[[Any], Prior] | None = None,
    resume: bool = False,
) -> dict[str, float]:
    """Train to the recipe's end, or that of its patience, and keep the weights of the least validation error.

    Writes `checkpoint.pt` (everything, to go on), `agent.pt` (the best weights) and `metrics.json` to `folder`. With
    several processes (`agents.training.distributed`) each calls this and plays its share.

    Args:
        recipe: what to train.
        folder: of this run.
        make_env: from a split, a number of rows, and the `names` of a checkpoint (keyword arguments of the task) to an
            environment.
        make_log: what shows and validates this training; called by the first process.
        device: of agent and environment.
        make_prior: from the environment to what draws the gaze beside the reward.
        resume: go on from the folder's checkpoint, exactly as if nothing had happened.

    Returns:
        `validation_error` in percent (known to the first process), `seconds` of training, `episodes`, and
        `stopped_early`: whether the recipe's patience ended it before its last episode.

    Raises:
        ValueError: for a checkpoint of another recipe, numbers out of their ranges, a batch that the processes cannot
            share, or a training that diverges; what was saved before stays.
        FileNotFoundError: where there is nothing to resume.
        KeyboardInterrupt: once the state is saved, where a signal interrupts the training (Ctrl-C, SIGTERM, SIGHUP).
        ConnectionError: where another process of the training has ended.
        OSError: where the folder can be written no more; the last checkpoint is as it was.
    """
    recipe.check()
    folder = Path(folder)
    with process_group(device), ExitStack() as stack:
        values = load_checked(folder / "checkpoint.pt") if resume else {}
        if resume and Recipe.from_dict(values["recipe"]) != recipe:
            raise ValueError(f"{folder} trained another recipe; resume it with its own, or train in a new folder")
        env = make_env("train", share_of(recipe), **names_in(values))
        prior = make_prior(env) if make_prior is not None else None
        trainer = Trainer.begin(recipe, env, device, prior=prior, restored=resume)
        if resume:
            trainer.restore(values)
        meet(device)  # until all are here, a signal ends each at once: none may wait for one that is gone
        interrupted = stack.enter_context(interruption())
        meet(device)  # from here on a signal ends none alone: only now the first shows that it trains
        log = make_log(trainer) if rank() == 0 else None
        if log is not None:
            stack.callback(log.close)
        updates = recipe.updates()
        every, began, saved = math.ceil(updates / VALIDATIONS), time.monotonic() - trainer.seconds, time.monotonic()
        stop, ended = False, trainer.patience_ended
        while trainer.update < updates and not (stop or ended):
            scalars = train_update(trainer)
            trainer.seconds = time.monotonic() - began
            validates = trainer.update % every == 0 or trainer.update == updates
            saves = log is not None and time.monotonic() - saved > SAVE_SECONDS
            if validates or saves or trainer.update % ASK_EVERY == 0:
                trainer.check_finite()
            if log is not None:
                log.update(scalars)
                if validates:
                    trainer.remember_best(log.validate())
                    save_atomically(trainer.best_agent(machine_name(device)), folder / "agent.pt")
                if saves:
                    save_atomically(trainer.to_dict(), folder / "checkpoint.pt")
                    saved = time.monotonic()
            if validates and recipe.patience:  # all end after the same update
                ended = agreed(trainer.patience_ended, device)
            if world_size() == 1:
                stop = interrupted()
            elif trainer.update % ASK_EVERY == 0:  # all stop after the same update
                stop = agreed(interrupted(), device)
        if log is not None:
            trainer.check_finite()
            save_atomically(trainer.to_dict(), folder / "checkpoint.pt")
    if stop:
        raise KeyboardInterrupt
    metrics = {
        "validation_error": trainer.best_error,
        "seconds": trainer.seconds,
        "episodes": trainer.update * recipe.batch,
        "stopped_early": trainer.update < updates,
    }
    if rank() == 0:
        write_atomically((json.dumps(metrics, indent=1) + "\n").encode(), folder / "metrics.json")
    return metrics
