"""Several processes, each with its share of every batch.

On a CPU, two processes of one thread each train nearly twice as fast as one process of two threads: a glimpse is many
small operations, and threads that meet after each of them wait more than they work. So `runs.train` starts one process
a core by itself (`launch`); on several GPUs or machines, start it with `torchrun --nproc-per-node 8 -m runs.train …`.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn


def rank() -> int:
    """Number of this process, 0 where it is alone."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_rank() -> int:
    """Number of this process on its machine: the GPU it takes."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def processes_for(batch: int) -> int:
    """How many processes a CPU training takes: at most one a core, at most four, and the batch shared evenly."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(count for count in range(1, min(cores, 4) + 1) if batch % count == 0)


def free_port() -> int:
    """A port of this machine that nobody listens to at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def launch(processes: int, arguments: list[str]) -> int:
    """Run `python -m runs.train` with these arguments in several processes of one thread each.

    Signals are passed on, and a process that fails ends the others.

    Returns:
        The exit status of the first process that failed, or 0.
    """
    common = {
        "WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
    }
    children = []
    for number in range(processes):
        own = {**os.environ, **common, "RANK": str(number), "LOCAL_RANK": str(number)}
        children.append(subprocess.Popen([sys.executable, "-m", "runs.train", *arguments], env=own))

    def pass_on(number: int, _: object) -> None:
        for child in children:
            child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    while any(child.poll() is None for child in children):
        if any(child.poll() for child in children):
            time.sleep(2)  # the others notice by themselves, or never
            for child in children:
                child.terminate()
                child.wait()
        time.sleep(0.05)
    return next((child.returncode for child in children if child.returncode), 0)


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Joins the processes that `torchrun` started; does nothing for a process alone."""
    if world_size() == 1 or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # The first optimizer loads this module. Its functions take the group of that moment as a default and keep
    # it: gloo's threads then outlive `destroy_process_group`, and may abort the interpreter when it shuts down.
    importlib.import_module("torch.distributed.nn.functional")
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def all_mean(value: Tensor) -> Tensor:
    """The mean of `value` over the processes, in place."""
    if world_size() > 1:
        dist.all_reduce(value)
        value /= world_size()
    return value


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replaces the gradients by their means over the processes, in one flat all-reduce."""
    if world_size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = all_mean(torch.cat([gradient.reshape(-1) for gradient in gradients]))
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
