"""The folders that runs write to: each its own, and none that holds a run is written to by accident."""

from __future__ import annotations

import errno
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from agents import AgentConfig
from agents.training.recipe import EnvConfig, Recipe
from glimpse_env.locks import exclusive
from runs import folders
from runs import train as command_line
from runs.folders import LOCK, claim, new_folder, remove_empty, sole_writer
from runs.training import train


@pytest.fixture
def recipe(images: str) -> Recipe:
    env = EnvConfig("Classify-v0", images=images, size=8, patch=4, num_glimpses=2)
    return Recipe("toy", env, AgentConfig(width=16, where_stream=16), episodes=64, batch=32)


def test_runs_that_begin_in_the_same_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LOGS", tmp_path / "logs")
    together = threading.Barrier(8)

    def begin(_: int) -> Path:
        together.wait()
        return new_folder("cluttered-1")

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(begin, range(8)))
    assert len(set(made)) == 8
    assert sorted(made) == sorted((tmp_path / "logs").iterdir())


@pytest.mark.parametrize("file", ["checkpoint.pt", "agent.pt", "model.zip", "events.out.tfevents.1.host"])
def test_a_folder_that_holds_a_run_is_refused_or_replaced(tmp_path: Path, file: str) -> None:
    claim(tmp_path / "new")
    (tmp_path / "notes.txt").write_text("mine")
    claim(tmp_path)
    (tmp_path / file).write_bytes(b"old")
    with pytest.raises(ValueError, match=rf"holds a run already \({file}\): name another --folder"):
        claim(tmp_path)
    assert (tmp_path / file).read_bytes() == b"old"
    claim(tmp_path, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK, "new", "notes.txt"]


def test_the_command_line_keeps_a_run_that_is_there(
    tmp_path: Path, images: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.train.report", lambda folder, metrics, **_: "report")

    def run(*arguments: str) -> object:
        toy = ["--images", images, "--size", "8", "--patch", "4", "--episodes", "64", "--batch", "32", "--quiet"]
        toy += ["--processes", "1", "--device", "cpu", "--folder", str(tmp_path / "run")]
        monkeypatch.setattr(sys, "argv", ["train", "classify", *toy, *arguments])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        return ended.value.code

    assert run() == 0
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    assert "holds a run already" in str(run("--seed", "2"))
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before
    assert run("--seed", "2", "--overwrite") == 0
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() != before


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize("script", ["train", "train_sb3"])
def test_a_folder_that_a_run_is_writing_to_is_left_alone(
    script: str, overwrite: list[str], tmp_path: Path, images: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it has written anything yet, or not."""
    module = pytest.importorskip(f"runs.{script}")
    own = ["classify", "--images", images, "--processes", "1"] if script == "train" else ["PPO", "Glimpse/Copy-v0"]
    for files in ([], ["checkpoint.pt", "agent.pt"]):
        for name in files:
            (tmp_path / name).write_bytes(b"of a run")
        monkeypatch.setattr(sys, "argv", [script, *own, "--folder", str(tmp_path), *overwrite])
        with sole_writer(tmp_path):
            with pytest.raises(SystemExit, match="another training is writing to"):
                module.main()
            assert sorted(path.name for path in tmp_path.iterdir()) == sorted([LOCK, *files])


def test_an_empty_folder_goes_only_while_no_run_writes_to_it(tmp_path: Path) -> None:
    with sole_writer(tmp_path / "run"):
        remove_empty(tmp_path / "run")
        assert (tmp_path / "run" / LOCK).exists()
    remove_empty(tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS])
def test_where_the_file_system_has_no_locks_nothing_waits(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise OSError(code, "No locks available")

    monkeypatch.setattr("filelock.FileLock.acquire", none)
    with sole_writer(tmp_path / "run"), exclusive(tmp_path / "cache"):
        assert (tmp_path / "run").is_dir()


def test_two_trainings_do_not_write_to_one_folder(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    validate = "runs.log.TrainingLog.validate"

    def meanwhile(_: object) -> float:
        with pytest.raises(ValueError, match="another training is writing to") as error:
            train(replace(recipe, seed=2), tmp_path, device="cpu", quiet=True)
        refused.append(str(error.value))
        return 1.0

    with monkeypatch.context() as patch:
        patch.setattr(validate, meanwhile)
        train(recipe, tmp_path, device="cpu", quiet=True)
    assert refused
    train(recipe, tmp_path, device="cpu", resume=True, quiet=True)  # the lock is free again
