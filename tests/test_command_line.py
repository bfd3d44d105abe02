"""What all scripts do at the command line: any terminal, any reader, one line for what is wrong."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.nearest import nearest, nearest_file, refusing_arguments
from memory import MEMORIES
from runs import train, train_sb3
from runs.command_line import in_words, one_line_errors
from runs.environments import pick_device
from runs.evaluate import main as evaluate
from runs.progress import LINE_SECONDS, Progress

ROOT = Path(__file__).parents[1]

SCRIPTS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "runs").rglob("*.py"))
    if "run_script(" in path.read_text(encoding="utf-8") and path.stem != "command_line"
]

EACH_IN_A_CHILD = """
import gc, os, runpy, sys
import runs.train, runs.train_sb3, runs.benchmark, runs.results, runs.watch, runs.heatmap  # once for all children
gc.freeze()  # a child need not collect what was imported when it exits
for name in sys.argv[1:]:
    for read in (True, False):
        child = os.fork()
        if not child:
            if not read:
                reader, writer = os.pipe()
                os.close(reader)
                os.dup2(writer, 1)
            sys.argv[:] = [name, "--help"]
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(name, "read" if read else "unread", status, file=sys.stderr)
"""


def test_every_script_helps_on_any_terminal_and_for_any_reader() -> None:
    """In ASCII, and where nobody reads it to the end, as `head` does."""
    assert {"runs.train", "runs.train_sb3", "runs.evaluate", "runs.results", "runs.tables.sb3"} <= set(SCRIPTS)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", EACH_IN_A_CHILD, *SCRIPTS]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=300, cwd=ROOT)
    assert done.stderr.decode("ascii").splitlines() == [
        f"{name} {status}" for name in SCRIPTS for status in ("read 0", "unread 141")
    ]
    assert done.stdout.decode("ascii").count("usage: ") == len(SCRIPTS)


def refused(monkeypatch: pytest.MonkeyPatch, main: Any, *arguments: str) -> str:
    """What a script says as it exits."""
    monkeypatch.setattr(sys, "argv", ["script", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return str(ended.value.code)


def test_a_misspelt_name_or_argument_is_answered_with_the_nearest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    said = refused(monkeypatch, train.main, "clutered")
    assert said.startswith("error: there is no recipe 'clutered': did you mean cluttered or ")
    assert "babi" not in said
    copy = ("copy-ntm", "--processes", "1", "--device", "cpu", "--folder", str(tmp_path / "run"))
    for more, answer in (
        (("--memory", "dcn"), "there is no memory 'dcn': did you mean dnc?"),
        (("--memory-options", "slotz=9"), "NTM takes no argument 'slotz': did you mean slots?"),
        (("--arguments", "bitz=3"), "Copy takes no argument 'bitz': did you mean bits?"),
    ):
        assert refused(monkeypatch, train.main, *copy, *more) == f"error: {answer}"
    assert not (tmp_path / "run").exists()
    (tmp_path / "first.pt").touch()
    with pytest.raises(SystemExit, match=r"no checkpoint at .*frist\.pt: did you mean first\.pt\?"):
        evaluate(tmp_path / "frist.pt")


def test_a_misspelt_argument_of_stable_baselines3(monkeypatch: pytest.MonkeyPatch, noise_digits: None, tmp_path: Path):
    pytest.importorskip("stable_baselines3")
    mnist = ("PPO", "Glimpse/MNIST-v0", "--envs", "2", "--folder", str(tmp_path / "run"))
    for more, answer in (
        (("--options", "lerning_rate=1"), "PPO takes no argument 'lerning_rate': did you mean learning_rate?"),
        (("--task-kwargs", "overhand=3"), "Classify takes no argument 'overhand': did you mean overhang?"),
    ):
        assert refused(monkeypatch, train_sb3.main, *mnist, *more) == f"error: {answer}"
    assert not (tmp_path / "run").exists()


def test_hints(tmp_path: Path) -> None:
    assert nearest("dcn", MEMORIES) == ": did you mean dnc?"
    assert nearest("xyz", MEMORIES) == ""
    assert nearest_file(tmp_path / "no" / "file.pt") == ""


class Taker:
    def __init__(self, size: int) -> None:
        self.size = size


def test_a_wrong_argument_is_a_value_error_and_a_fault_of_ours_is_not() -> None:
    for arguments, message in (
        ({"size": 1, "seize": 2}, r"Taker takes no argument 'seize': did you mean size\?"),
        ({}, "missing 1 required"),
    ):
        with pytest.raises(ValueError, match=message), refusing_arguments(Taker):
            Taker(**arguments)
    with pytest.raises(TypeError, match="no fault"), refusing_arguments(Taker):
        raise TypeError("no fault of the user's")
    with pytest.raises(TypeError, match="unexpected keyword argument 'size'"), refusing_arguments(Taker):
        (lambda: None)(size=1)  # type: ignore[call-arg]


def test_a_device_that_pytorch_knows_and_cannot_use(tmp_path: Path) -> None:
    assert pick_device("cpu").type == "cpu"
    for name in ("meta", "vulkan", "cuda:99"):
        with pytest.raises(ValueError, match=rf"--device {name}: .*use --device cpu or auto"):
            pick_device(name)
    with pytest.raises(ValueError, match="--device gpu: unknown"):
        pick_device("gpu")
    with pytest.raises(SystemExit, match=r"error: --device meta: it cannot be used here"):
        evaluate(tmp_path / "any.pt", device="meta")


def test_errors_of_the_system_name_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(28, "No space left on device")
    assert in_words(full) == "No space left on device"
    assert in_words(full, "runs/logs/a") == "runs/logs/a: No space left on device"
    assert in_words(PermissionError(13, "Permission denied", "b.pt"), "runs/logs/a") == "b.pt: Permission denied"
    for error in (full, ValueError("wrong"), FileNotFoundError("no such file")):
        with pytest.raises(SystemExit, match=f"error: {error.strerror if error is full else error}"), one_line_errors():
            raise error
    with pytest.raises(BrokenPipeError), one_line_errors():
        raise BrokenPipeError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, file: io.StringIO) -> str:
    """What is written of two minutes and a half, in which the wall clock is set back by an hour."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("sys.stderr", file)
    monkeypatch.setattr("sys.stdout", file)
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    with Progress(total=300, unit=" episodes", ncols=80) as bar:
        for second in range(150):
            clock.now += 1
            bar.update(2)
            if second == 70:
                monkeypatch.setattr("time.time", lambda: -3600.0)
                bar.write("validation error 3 %")
    return file.getvalue()


def test_progress_in_a_log_file_is_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LINE_SECONDS == 60
    lines = shown(monkeypatch, io.StringIO()).split("\n")
    assert [re.sub(" in .*", "", line) for line in lines] == [
        "40%, 120/300 episodes", "validation error 3 %", "80%, 240/300 episodes", "100%, 300/300 episodes", ""
    ]  # fmt: skip
    assert "in 01:00, 01:30 left" in lines[0]


def test_progress_on_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, Terminal())
    assert text.count("\r") > 100
    assert "validation error 3 %\n" in text
    assert "300/300 [02:30<00:00" in text


def test_progress_that_nobody_can_read_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    assert shown(monkeypatch, Closed()) == ""
