"""What every test file may use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from glimpse_env.datasets import find_dataset
from glimpse_env.images import SPLITS, ImageSet
from glimpse_env.tasks import TASKS

torch.set_num_threads(1)

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def mnist_available() -> bool:
    """Whether MNIST lies in GLIMPSE_DATA or in the cache. Tests download nothing."""
    return find_dataset("mnist")[0] is not None


@pytest.fixture(scope="session")
def needs_mnist() -> None:
    if not mnist_available():
        pytest.skip("MNIST is neither in GLIMPSE_DATA nor in the cache; `make train` fetches it")


@pytest.fixture(params=["numpy", "cpu", pytest.param("cuda", marks=[pytest.mark.cuda, NO_CUDA])])
def place(request: pytest.FixtureRequest) -> str:
    """Where arrays live: "numpy", or the torch device "cpu" or "cuda"."""
    return request.param


@pytest.fixture
def noise_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise of 28 x 28 pixels in ten classes in place of every named dataset; other images in each split."""

    def load(name: str, split: Any) -> ImageSet:
        rng = np.random.default_rng(SPLITS.index(split))
        images = rng.integers(1, 256, (20, 1, 28, 28), dtype=np.uint8)
        return ImageSet(images, np.arange(20) % 10, tuple("0123456789"))

    monkeypatch.setattr("glimpse_env.tasks.classify.load_dataset", load)


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest, noise_digits: None) -> tuple[str, dict[str, Any]]:
    """Each row of `TASKS`: its id and arguments, which bring what a row needs and has not."""
    kwargs: dict[str, Any] = {}
    if request.param == "Classify-v0":
        images = np.random.default_rng(0).integers(0, 256, (12, 10, 14, 3), dtype=np.uint8)
        kwargs = {"images": images, "labels": np.arange(12) % 4, "size": (20, 17), "patch": (4, 6), "pieces": 2}
    return f"glimpse_env:Glimpse/{request.param}", kwargs


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three classes of 8×8 figures (a bar, a column, a block), thirty of each."""
    figures = np.zeros((3, 8, 8), np.uint8)
    figures[0, 3:5], figures[1, :, 3:5], figures[2, 2:7, 2:7] = 255, 255, 160
    path = tmp_path_factory.mktemp("own") / "figures.npz"
    np.savez(path, images=figures.repeat(30, axis=0), labels=np.arange(3).repeat(30))
    return str(path)
