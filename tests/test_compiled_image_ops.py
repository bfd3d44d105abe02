"""The compiled loops against the plain functions, bit for bit, and where each is chosen."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from glimpse_env import overview, retina, scenes
from glimpse_env.backend import get_backend
from glimpse_env.image_ops import PLAIN, image_ops

compiled_retina = pytest.importorskip("glimpse_env.compiled_retina", reason="Numba is not installed")
compiled_image_ops = pytest.importorskip("glimpse_env.compiled_image_ops", reason="Numba is not installed")


def tensors(*arrays: np.ndarray, place: str) -> list:
    """The arrays at `place`: "numpy" or "torch"."""
    return [torch.from_numpy(array) for array in arrays] if place == "torch" else list(arrays)


@pytest.mark.parametrize("place", ["numpy", "torch"])
@pytest.mark.parametrize("shape", [(1, 1, 28, 28), (5, 3, 31, 40), (4, 1, 1, 7), (0, 1, 9, 9), (3, 2, 300, 200)])
@pytest.mark.parametrize("eye", [retina.Retina((12, 12), 3), retina.Retina((5, 8), 1), retina.Retina((1, 3), 6)])
def test_they_see_the_same(place: str, shape: tuple[int, ...], eye: retina.Retina) -> None:
    rng = np.random.default_rng(sum(shape))
    canvas = rng.integers(0, 256, shape, dtype=np.uint8)
    location = rng.uniform(-1, 1, (shape[0], 2)).astype(np.float32)
    location[:1] = [-1, 1]
    canvas, location = tensors(canvas, location, place=place)
    index = tensors(np.arange(shape[0]), place=place)[0]
    table, cells = retina.summed_area_table(canvas), (min(3, shape[2]), min(4, shape[3]))
    for seen, plain in (
        (compiled_retina.glimpse_of_images(canvas, index, location, eye), retina.glimpse(table, location, eye)),
        (compiled_retina.overview_of_images(canvas, index, cells), overview.overview(table, cells)),
    ):
        assert type(seen) is type(plain)
        assert seen.dtype == plain.dtype
        np.testing.assert_array_equal(seen, plain)


@pytest.mark.parametrize("place", ["numpy", "torch"])
@pytest.mark.parametrize("blend", ["add", "max", "over"])
@pytest.mark.parametrize("overhang", [0, 3])
@pytest.mark.parametrize("pieces", [0, 4])
def test_they_paint_the_same(place: str, blend: scenes.Blend, overhang: int, pieces: int) -> None:
    rng = np.random.default_rng(pieces)
    images = (rng.integers(1, 256, (9, 2, 14, 10)) * (rng.random((9, 2, 14, 10)) > 0.4)).astype(np.uint8)
    config = scenes.SceneConfig((17, 30), pieces, (5, 4), blend, overhang)
    images, seeds, episodes = tensors(images, np.full(64, 3), np.arange(64), place=place)
    scheme = scenes.plan(images.shape, seeds, episodes, config)
    plain, compiled = scenes.paint(images, scheme, config), compiled_image_ops.paint(images, scheme, config)
    assert type(compiled) is type(plain)
    assert compiled.dtype == plain.dtype
    assert len(np.unique(plain)) > 100
    np.testing.assert_array_equal(compiled, plain)


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_the_host_has_the_compiled_ones(name: str) -> None:
    assert image_ops(get_backend(name)).glimpse_of_images is compiled_retina.glimpse_of_images


def test_a_gpu_has_the_plain_ones() -> None:
    backend = get_backend("torch")._replace(device=torch.device("cuda"))
    assert image_ops(backend) is PLAIN


def test_without_numba_the_plain_ones_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert image_ops(get_backend("numpy")) is PLAIN


def test_numbas_own_switch_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    assert image_ops(get_backend("numpy")) is PLAIN
