"""Compiled loops: kept where there is a folder for them, made once for all processes, and what is said of it."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

compiler = pytest.importorskip("glimpse_env.compiler", reason="Numba is not installed")

from numba import float64, void  # noqa: E402

import glimpse_env  # noqa: E402
from glimpse_env.notices import say_once  # noqa: E402

SOURCE = "def double(array):\n    for i in range(len(array)):\n        array[i] *= 2\n"

MAKE = """
import sys
import gymnasium as gym
import numpy as np
images = np.random.default_rng(0).integers(0, 256, (20, 9, 9), dtype=np.uint8)
env = gym.make("glimpse_env:Glimpse/Classify-v0", images=images, labels=np.arange(20) % 2, patch=3, pieces=0)
observation, _ = env.reset(seed=0)
print(observation["glimpse"].sum())
from glimpse_env import compiled_retina
assert env.unwrapped.task.ops.glimpse_of_images is compiled_retina.glimpse_of_images
"""
"""Makes an environment of images, whose loops are compiled."""


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was said, which is said once per process and here once per test."""
    say_once.cache_clear()
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Compiles a loop of a module in `tmp_path`, as a new process would."""
    path = tmp_path / "loops.py"
    path.write_text(SOURCE)
    monkeypatch.setattr("numba.config.CACHE_DIR", "")

    def build() -> Any:
        spec = importlib.util.spec_from_file_location("loops", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return compiler.loop(void(float64[::1]))(module.double)

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return build


def works(loop: Any) -> bool:
    array = np.arange(3.0)
    loop(array)
    return array.tolist() == [0, 2, 4]


def test_the_second_process_finds_the_loop_in_the_cache(
    double: Callable[[], Any], said: Callable[[], list[str]], tmp_path: Path
) -> None:
    assert works(double())
    assert [message.startswith("Compiling the loops over pixels") for message in said()] == [True]
    assert list((tmp_path / "__pycache__").glob("loops.double-*.nbc"))
    say_once.cache_clear()
    assert works(double())
    assert len(said()) == 1


def test_a_loop_takes_no_other_arguments(double: Callable[[], Any]) -> None:
    """Else it would be compiled again, in the middle of an episode."""
    with pytest.raises(TypeError, match="No matching definition"):
        double()(np.arange(3))


def test_where_no_folder_can_be_written_it_compiles_all_the_same(
    double: Callable[[], Any], said: Callable[[], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in place of a folder cannot be written to by anybody, root included."""
    (tmp_path / "__pycache__").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "__pycache__"))
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path / "__pycache__"))
    assert works(double())
    assert works(double())
    (reason,) = (message for message in said() if "NUMBA_CACHE_DIR" in message)
    assert "every process compiles it anew" in reason


def test_a_damaged_cache_is_named(double: Callable[[], Any], said: Callable[[], list[str]], tmp_path: Path) -> None:
    assert works(double())
    for path in (tmp_path / "__pycache__").glob("*.nbi"):
        path.write_bytes(b"")
    assert works(double())
    assert f"The cache of compiled code in {tmp_path / '__pycache__'} cannot be used" in said()[-1]
    for path in (tmp_path / "__pycache__").glob("*.nb?"):
        path.unlink()
    say_once.cache_clear()
    assert works(double())
    assert works(double())
    assert len(said()) == 3


def test_a_full_disk_is_named(
    double: Callable[[], Any], said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.os.replace", full)
    assert works(double())
    assert "No space left on device" in said()[-1]


def test_a_loop_that_is_wrong_is_no_matter_of_the_cache() -> None:
    from numba.core.errors import TypingError

    with pytest.raises(TypingError):
        compiler.loop(void(float64[::1]))(lambda array: array.nothing())


def start(folder: Path, code: str, **environment: str) -> subprocess.Popen[str]:
    """A process that finds `glimpse_env` in this folder, and in which warnings are errors."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a copy of the package, nothing of which is compiled."""
    folder = Path(glimpse_env.__file__).parent
    shutil.copytree(folder, tmp_path / "site" / "glimpse_env", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "site"


def test_an_environment_is_made_where_nothing_can_be_written(package: Path) -> None:
    blocked = package / "glimpse_env" / "__pycache__"
    blocked.touch()
    process = start(package, MAKE, HOME=str(blocked), XDG_CACHE_HOME=str(blocked), NUMBA_CACHE_DIR=str(blocked))
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert float(printed) > 0
    assert errors.count("NUMBA_CACHE_DIR") == 1


def test_many_processes_compile_once(package: Path, tmp_path: Path) -> None:
    """The others wait for the first one, as the workers of an `AsyncVectorEnv` do."""
    settings = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "NUMBA_DEBUG_CACHE": "1"}
    processes = [start(package, MAKE, **settings) for _ in range(3)]
    results = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], results
    lines = [line for printed, _ in results for line in printed.splitlines()]
    compiled = [line for line in lines if line.startswith("[cache] data saved to")]
    assert compiled
    assert len(compiled) == len(set(compiled))  # no loop twice
    assert any("Compiling the loops over pixels" in errors for _, errors in results)
    assert len({line for line in lines if not line.startswith("[cache]")}) == 1
