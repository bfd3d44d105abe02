"""What a training spends its time on, in as many processes as it takes on this machine."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from agents.training.distributed import process_group
from agents.training.trainer import Trainer, share_of, train_update
from runs.benchmarks.timing import Figure, medians, seconds_of
from runs.environments import make_env
from runs.launch import free_port, processes_for
from runs.progress import Progress
from runs.recipes import RECIPES

UPDATES = 5
"""Of a measured round."""


class Spent(NamedTuple):
    """What one process measured.

    Attributes:
        episodes: per second, of this process.
        environment: share of the time spent in the environment.
        matmul: floating-point operations per second of a matrix product of 1,024².
        arithmetic: the training's own, as a share of that.
    """

    episodes: float
    environment: float
    matmul: float
    arithmetic: float


def measure(repeats: int, bar: Progress | None = None) -> Spent:
    """Time this process's share of an update of `cluttered`, in one thread."""
    torch.set_num_threads(1)
    recipe, cpu = RECIPES["cluttered"], torch.device("cpu")
    with process_group(cpu):
        env = make_env(recipe, "train", share_of(recipe), cpu)
        trainer, spent = Trainer.begin(recipe, env, cpu), [0.0]
        for name in ("reset", "step"):
            setattr(env, name, partial(_timed, spent, getattr(env, name)))
        with FlopCounterMode(display=False) as counter:
            train_update(trainer)
        matrix, shares = torch.randn(1024, 1024), []

        def update() -> None:
            spent[0] = 0.0
            total = seconds_of(lambda: [train_update(trainer) for _ in range(UPDATES)])
            shares.append(spent[0] / total)

        times = medians({"update": update, "matmul": lambda: [matrix @ matrix for _ in range(5)]}, repeats, bar)
    rate, peak = counter.get_total_flops() * UPDATES / times["update"], 5 * 2 * 1024**3 / times["matmul"]
    return Spent(env.num_envs * UPDATES / times["update"], float(np.median(shares[1:])), peak, rate / peak)


def _timed(spent: list[float], call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call, and add the seconds that this takes to `spent[0]`."""
    results: list[Any] = []
    spent[0] += seconds_of(lambda: results.append(call(*args, **kwargs)))
    return results[0]


def _join(rank: int, processes: int, port: int, repeats: int) -> Spent:
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(processes), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), OMP_NUM_THREADS="1"
    )
    return measure(repeats)


def training(repeats: int, bar: Progress) -> list[Figure]:
    """The training `cluttered` in processes of one thread each, as `runs.train` runs it."""
    processes, port = processes_for(RECIPES["cluttered"].batch), free_port()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(_join, rank, processes, port, repeats) for rank in range(processes)]
        spent = [job.result() for job in jobs]
    bar.update(repeats + 1)
    means = Spent(*np.mean(np.array(spent), axis=0))
    return [
        Figure(f"training `cluttered`, {processes} processes of one thread", means.episodes * processes, "episodes/s"),
        Figure("environment's share of an update", 100 * means.environment, "%"),
        Figure("measured matmul rate of a process", means.matmul / 1e9, "GFLOP/s"),
        Figure("arithmetic against the matmul rate", 100 * means.arithmetic, "%"),
    ]
