"""Trainings that something ends early: signals, a killed process, a full disk. Real processes, as people start them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.training.checkpoint import load_checked, write_atomically
from runs.folders import LOCK

ROOT = Path(__file__).parents[1]

ENDLESS = ("copy-none", "--width", "8", "--batch", "4", "--arguments", "bits=2", "max_length=2", "--device", "cpu")
"""A training of two million tiny episodes, or of as many as a test says."""

PATIENCE = 300
"""Seconds after which a test fails because something hangs: many times what a slow machine needs."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts `runs.train` with a run folder `run` in a session of its own, whose processes end with the test."""
    started: list[subprocess.Popen] = []

    def start(processes: int, *more: str, episodes: int = 2_000_000, **kwargs: Any) -> subprocess.Popen:
        command = [sys.executable, "-m", "runs.train", *ENDLESS, "--processes", str(processes), "--folder", "run"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(
            subprocess.Popen(
                [*command, "--episodes", str(episodes), *more],
                cwd=tmp_path,
                env=environment,
                start_new_session=True,
                **{**pipes, **kwargs},
            )
        )
        return started[-1]

    yield start
    for process in started:
        left = members(process.pid)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        process.communicate()
        assert not left, "processes are left over"


def members(session: int) -> dict[int, list[str]]:
    """The processes of a session that are alive, and their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            state, _, _, own, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, ValueError):  # no process, or one that has just ended
            continue
        if int(own) == session and state not in "ZX":
            found[int(entry.name)] = words
    return found


def workers(process: subprocess.Popen) -> list[int]:
    """The processes that a launcher started."""
    return sorted(pid for pid, words in members(process.pid).items() if "runs.launch" in words)


def until(condition: Callable[[], Any], process: subprocess.Popen | None = None) -> Any:
    """Wait until this is true, and give what it gave."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it never happens"
        time.sleep(0.02)
    return value


def trains(process: subprocess.Popen, folder: Path) -> None:
    """Wait until a training has begun: its curves are there, and signals are handled."""
    until(lambda: list(folder.glob("run/events.out.tfevents.*")), process)


pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@pytest.mark.parametrize(("processes", "number"), [(1, signal.SIGINT), (2, signal.SIGHUP)])
def test_signals_save(processes: int, number: int, start: Any, tmp_path: Path) -> None:
    """Each signal comes twice, as where a terminal sends it to all processes and somebody is impatient."""
    process = start(processes)
    trains(process, tmp_path)
    for _ in range(2):
        os.killpg(process.pid, number)
    printed, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert printed.strip().endswith("-m runs.train copy-none --resume run")
    assert load_checked(tmp_path / "run" / "checkpoint.pt")["update"] > 0


@pytest.mark.parametrize(("processes", "number"), [(1, signal.SIGTERM), (2, signal.SIGINT)])
def test_what_is_interrupted_before_it_trains_leaves_nothing(
    number: int, processes: int, start: Any, tmp_path: Path
) -> None:
    """Among its imports, and where its processes exist and import or wait for each other."""
    process = start(processes)
    if processes == 2:
        until(lambda: len(workers(process)) == 2, process)
    else:
        until(lambda: (tmp_path / "run").exists(), process)
    os.killpg(process.pid, number)
    printed, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert (printed + errors).split() == ["interrupted", "before", "anything", "was", "saved"]
    assert not (tmp_path / "run").exists()


def test_ctrl_c_among_the_imports_of_a_script_ends_it_in_a_line(start: Any, tmp_path: Path) -> None:
    process = start(1)
    until(lambda: "libtorch" in Path(f"/proc/{process.pid}/maps").read_text(), process)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, printed, errors) == (130, "", "\ninterrupted\n")
    assert not (tmp_path / "run").exists()


def test_processes_end_with_their_launcher_and_save(start: Any, tmp_path: Path) -> None:
    process = start(2)
    trains(process, tmp_path)
    process.kill()
    until(lambda: not members(process.pid))
    assert load_checked(tmp_path / "run" / "checkpoint.pt")["update"] > 0
    assert [path.name for path in (tmp_path / "run").glob(".*")] == [LOCK]  # no half-written file


def test_processes_end_with_their_launcher_before_they_train(start: Any, tmp_path: Path) -> None:
    process = start(2)
    until(lambda: workers(process), process)
    process.kill()
    until(lambda: not members(process.pid))
    assert not list(tmp_path.glob("run/[!.]*"))  # the file of the lock stays


def test_a_killed_process_ends_the_others_and_is_named(start: Any, tmp_path: Path) -> None:
    process = start(2)
    trains(process, tmp_path)
    os.kill(workers(process)[1], signal.SIGKILL)
    errors = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 1
    assert "Traceback" not in errors
    (said,) = [line for line in errors.splitlines() if "error" in line and "episodes" not in line]
    assert said.startswith("error: process 2 of 2 ended by SIGKILL")


def test_a_full_disk_ends_a_training_in_one_line(start: Any, tmp_path: Path) -> None:
    """The limit of a file's size stands for the disk: TensorBoard's curves meet it, and what was saved stays."""
    (tmp_path / "run").mkdir()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    process = start(1, "--quiet", episodes=40_000, preexec_fn=limit)
    printed, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, printed, errors) == (1, "", "error: run: File too large\n")
    assert load_checked(tmp_path / "run" / "agent.pt")["training"]["episodes"] > 0
    assert not list((tmp_path / "run").glob(".*.pt.*"))


def test_a_checkpoint_that_does_not_fit_leaves_the_old_one(tmp_path: Path) -> None:
    path, before = tmp_path / "checkpoint.pt", resource.getrlimit(resource.RLIMIT_FSIZE)
    write_atomically(b"old", path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: .*checkpoint\.pt"):
            write_atomically(b"new" * 100, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]
