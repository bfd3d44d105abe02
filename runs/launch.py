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
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from agents.training.interruption import set_handler
from runs.command_line import prepare

LOST = 3
"""Exit status of a process whose training has lost another process."""


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

    A signal that asks for the end is passed on as SIGTERM, and a process that fails ends the others. The processes also
    end with this one, however it ends: each holds one end of a pipe, see `worker`.

    Returns:
        0, or 1 where the first process failed, which says why.

    Raises:
        KeyboardInterrupt: where a signal asked the training to end.
        ChildProcessError: where a process was killed, or another one than the first failed.
    """
    common = {
        "WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
    }
    children: list[subprocess.Popen] = []
    came: list[int] = []

    def pass_on(number: int, _: object) -> None:
        came.append(number)
        for child in children:
            child.terminate()

    before = set_handler(pass_on)
    try:
        with ctrl_c_blocked():
            for number in range(processes):
                own = {**os.environ, **common, "RANK": str(number), "LOCAL_RANK": str(number)}
                command = [sys.executable, "-m", "runs.launch", *arguments]
                children.append(subprocess.Popen(command, env=own, stdin=subprocess.PIPE))
        failed = wait(children)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if not failed or failed.get(0) == 1:
        return failed.get(0, 0)
    if came:
        raise KeyboardInterrupt
    number, status = next((item for item in failed.items() if item[1] != LOST), (0, LOST))
    how = f"with status {status}: --processes 1 shows why"
    if status < 0:
        how = f"by {signal.Signals(-status).name}{', as where memory runs out' * (-status == signal.SIGKILL)}"
    raise ChildProcessError(f"process {number + 1} of {processes} ended {how}; the others have ended too")


@contextmanager
def ctrl_c_blocked() -> Iterator[None]:
    """Holds Ctrl-C back, and for ever from the processes that are started here.

    A terminal sends it to all its processes, and one that is just starting would end in a traceback. SIGTERM ends it
    at once.
    """
    if not hasattr(signal, "pthread_sigmask"):  # on Windows, where Ctrl-C comes otherwise
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def wait(children: list[subprocess.Popen]) -> dict[int, int]:
    """Wait for all processes; where one fails, end the others.

    Returns:
        The exit statuses other than 0, by number, of those that ended by themselves.
    """
    while any(child.poll() is None for child in children):
        if any(child.poll() for child in children):
            time.sleep(2)  # the others notice by themselves, or never
            failed = {number: child.returncode for number, child in enumerate(children) if child.poll()}
            for child in children:
                child.terminate()
                child.wait()
            return failed
        time.sleep(0.05)
    return {number: child.returncode for number, child in enumerate(children) if child.returncode}


def worker() -> None:
    """One of the processes of `launch`.

    Its standard input is a pipe that the launcher never writes to, and that ends with the launcher, whatever ends it:
    unlike a signal at the parent's death (`prctl`), this works on every system. It then ends as by SIGTERM: at once,
    even where it waits for the others; while it trains, with its state saved (`agents.training.interruption`).
    """

    def end_with_launcher() -> None:
        os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end_with_launcher, daemon=True).start()
    prepare()
    from runs.train import main  # which imports this module

    main(launched=True)


if __name__ == "__main__":
    worker()
