"""The wheel: `glimpse_env` alone, which needs no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from glimpse_env import TASKS

ROOT = Path(__file__).parents[1]

STEPS = """
import importlib.util
import json
import sys

checkout, folders = sys.argv[1], json.loads(sys.argv[2])
sys.path = [folder for folder in sys.path if folder != checkout]  # an editable install puts it there


class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("torch is not to be imported")


sys.meta_path.insert(0, NoTorch())

import gymnasium as gym
import numpy as np

import glimpse_env

images, labels = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8), np.arange(20) % 10
given = {"Classify": {"dataset": None, "images": images, "labels": labels, "split": "all"}}
for name, row in glimpse_env.TASKS.items():
    id = f"glimpse_env:Glimpse/{name}"
    kwargs = {"data": folders[name]} if name in folders else given.get(row.task.__name__, {})
    env = gym.make(id, **kwargs)
    observation, info = env.reset(seed=0)
    observation, *_ = env.step(env.action_space.sample())
    assert observation in env.observation_space
    envs = gym.make_vec(id, num_envs=3, **kwargs)
    envs.reset(seed=0)
    observations, *_ = envs.step(envs.action_space.sample())
    assert observations in envs.observation_space
    print(name)
try:
    gym.make_vec("glimpse_env:Glimpse/MQAR-v0", num_envs=2, backend="torch")
except ImportError as error:
    print(error)
assert not [name for name in ("agents", "memory", "runs") if importlib.util.find_spec(name)]
print(glimpse_env.__file__)
"""
"""What is done with the unpacked wheel: every environment is stepped, in a Python that finds no torch."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout without any download."""
    pytest.importorskip("hatchling", reason="hatchling is not installed: pip install '.[test]'")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_it_holds_every_file_of_glimpse_env_and_nothing_else(wheel: Path) -> None:
    package = ROOT / "glimpse_env"
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    about = {name for name in names if ".dist-info/" in name}
    assert names - about == wanted
    assert {Path(name).name for name in about} == {"METADATA", "WHEEL", "RECORD", "LICENSE"}


def test_it_asks_for_no_torch(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
    lines = archive.read(name).decode().splitlines()
    needed = [line for line in lines if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert needed
    assert not [line for line in needed if "torch" in line]


def test_every_environment_runs_from_it_alone_and_without_torch(
    wheel: Path, tmp_path: Path, folders: dict[str, str]
) -> None:
    """In a folder of its own: what is installed beside it (an editable checkout, too) does not count."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STEPS, str(ROOT), json.dumps(folders)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *names, refusal, place = done.stdout.splitlines()
    assert names == list(TASKS)
    assert refusal == 'backend="torch" needs PyTorch: pip install torch'
    assert place == str(site / "glimpse_env" / "__init__.py")
