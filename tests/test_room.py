"""What images and episodes take is known, said first, and kept within the memory that is free."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import glimpse_env.free_memory
import glimpse_env.images
from agents.config import AgentConfig
from agents.training.recipe import EnvConfig, Recipe
from glimpse_env.backend import get_backend
from glimpse_env.free_memory import memory_in_words
from glimpse_env.image_ops import image_ops
from glimpse_env.tasks import make_task
from runs import environments, train
from runs.environments import make_env
from runs.training import train as start


@pytest.fixture
def little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container in which a MiB is free."""
    for name, text in (("max", f"{2**20}"), ("current", "0"), ("stat", "inactive_file 0")):
        (tmp_path / f"memory.{name}").write_text(f"{text}\n")
    monkeypatch.setattr(glimpse_env.free_memory, "CGROUP", tmp_path)


def taken(height: int, width: int, count: int = 1) -> str:
    """What so many canvases take: a byte for a pixel, and a table of sums unless glimpses are compiled."""
    sums = 0 if image_ops(get_backend()).compiled else 4 * (height + 1) * (width + 1)
    return f"{count * (height * width + sums) / 2**20:.2f} MiB"


def test_images_in_memory_and_in_files(
    images: str, tmp_path: Path, little: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    numpy, rest = (
        get_backend("numpy"),
        r" on canvases of {}×{} pixels: an episode takes {} at the least, {} side .*",
    )
    held = make_task("Classify-v0", numpy, images=images, size=16, split="all")
    said = memory_in_words(held, 1000)
    assert said == (
        "90 images of 8×8 pixels in memory (0.01 MiB) on canvases of 16×16 pixels: an episode takes 0.00 MiB at the "
        f"least, 1,000 side by side {taken(16, 16, 1000)} of 1.00 MiB that are free"
    )
    monkeypatch.setattr(glimpse_env.images, "DENSE_BYTES", 0)
    for row, size in enumerate([(30, 40), (60, 20)] * 5):
        path = tmp_path / "own" / "a" / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (1, 2, 3)).save(path)
    lazily = make_task("Classify-v0", numpy, images=str(tmp_path / "own"), split="all")
    assert re.match(
        r"10 images of 20×30 to 40×60 pixels in files \(0.03 MiB, of which a process keeps at most 512.00 MiB\)"
        + rest.format(40, 60, taken(40, 60, 3), 7),
        memory_in_words(lazily, 7),
    )
    assert memory_in_words(make_task("Copy-v0", numpy), 7) == ""


def test_a_training_says_it_first(tmp_path: Path, images: str, capsys: pytest.CaptureFixture[str]) -> None:
    env = EnvConfig("Classify-v0", images=images, size=16, patch=4, num_glimpses=3)
    recipe = Recipe("toy", env, AgentConfig(width=16, where_stream=8), episodes=32, batch=32)
    start(recipe, tmp_path, device="cpu")
    said = [line for line in capsys.readouterr().out.splitlines() if "an episode takes" in line]
    assert len(said) == 1
    assert "72 images of 8×8 pixels in memory (0.00 MiB) on canvases of 16×16 pixels" in said[0]
    assert f"32 side by side {taken(16, 16, 32)}" in said[0]


def test_a_batch_too_large_for_all_processes_together_is_refused_before_they_start(
    tmp_path: Path, images: str, little: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would see only its own share."""
    arguments = ("classify", "--images", images, "--size", "220", "--batch", "24", "--episodes", "24")
    folder = tmp_path / "run"
    monkeypatch.setattr(
        sys, "argv", ["train", *arguments, "--processes", "2", "--device", "cpu", "--folder", str(folder)]
    )
    with pytest.raises(SystemExit) as ended:
        train.main()
    assert f"24 canvases of 220×220 pixels take {taken(220, 220, 24)}" in str(ended.value.code)
    assert not folder.exists()


def test_large_canvases_are_evaluated_fewer_at_a_time(images: str, monkeypatch: pytest.MonkeyPatch) -> None:
    env = EnvConfig("Classify-v0", images=images, size=16, patch=4, num_glimpses=3)
    recipe, cpu = Recipe("toy", env, AgentConfig(width=16, where_stream=8)), torch.device("cpu")
    row = make_env(recipe, "train", 1, cpu).unwrapped.task.row_bytes
    assert make_env(recipe, "test", 40, cpu).num_envs == 40
    monkeypatch.setattr(environments, "EVALUATION_BYTES", 9 * row)
    assert make_env(recipe, "test", 40, cpu).num_envs == make_env(recipe, "validation", 40, cpu).num_envs == 9
    assert make_env(recipe, "test", 5, cpu).num_envs == 5
    assert make_env(recipe, "train", 40, cpu).num_envs == 40
    monkeypatch.setattr(environments, "EVALUATION_BYTES", 1)
    assert make_env(recipe, "test", 40, cpu).num_envs == 1


def test_arrays_are_not_enlarged_beyond_the_free_memory(little: None) -> None:
    images, settings = np.zeros((20, 8, 8), np.uint8), {"labels": [0] * 20, "dataset": None, "split": "all"}
    task = make_task("Classify-v0", get_backend("numpy"), images=images, fit="contain", size=200, **settings)
    assert task.image_size == (200, 200)
    with pytest.raises(ValueError, match=r"20 images of 250×250 pixels take 1.19 MiB, and 1.00 MiB of memory are free"):
        make_task("Classify-v0", get_backend("numpy"), images=images, fit="contain", size=250, **settings)
