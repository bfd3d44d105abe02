"""Starts a training in several processes on one CPU.

There, two processes of one thread each train nearly twice as fast as one process of two threads: a glimpse is many
small operations, and threads that meet after each of them wait more than they work. `torchrun` would do the same, but
starts more slowly, and tells what goes wrong in a traceback of its own. On several GPUs or machines use it: `torchrun
--nproc-per-node 8 -m runs.train …`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time


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
