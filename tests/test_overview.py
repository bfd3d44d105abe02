"""The coarse overview of a canvas."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from glimpse_env.backend import get_backend
from glimpse_env.image_ops import PLAIN, image_ops
from glimpse_env.overview import checked_overview, overview
from glimpse_env.retina import summed_area_table

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 20, 33, 3), dtype=np.uint8)
OWN: dict[str, Any] = {"images": IMAGES, "labels": np.arange(12) % 3, "patch": 4}


@pytest.mark.parametrize("cells", [(5, 11), (1, 1), (20, 33), (7, 9)])
def test_a_cell_is_the_mean_of_its_pixels_and_the_cells_cover_all(place: str, cells: tuple[int, int]) -> None:
    backend = get_backend() if place == "numpy" else get_backend("torch", place)
    canvas = backend.asarray(np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2)))
    seen = backend.to_numpy(overview(summed_area_table(canvas), cells))
    down, across = ([n * side // k for n in range(k + 1)] for side, k in zip((20, 33), cells, strict=True))
    for row in range(cells[0]):
        for column in range(cells[1]):
            block = IMAGES[:, down[row] : down[row + 1], across[column] : across[column + 1]]
            mean = block.sum((1, 2), dtype=np.int64) / np.float64(255 * block[0, ..., 0].size)
            np.testing.assert_allclose(seen[:, :, row, column], mean, rtol=1e-6)


@pytest.mark.parametrize("cells", [(5, 11), (1, 1), (20, 33), (7, 9)])
def test_without_a_table_it_is_the_same_bit_for_bit(host_place: str, cells: tuple[int, int]) -> None:
    backend = get_backend() if host_place == "numpy" else get_backend("torch", host_place)
    canvas = backend.asarray(IMAGES.transpose(0, 3, 1, 2))
    by_table = overview(summed_area_table(backend.asarray(np.ascontiguousarray(canvas))), cells)
    for ops in (PLAIN, image_ops(backend)):
        found = ops.overview_of_images(canvas, backend.asarray([3, 0, 3]), cells)
        assert found.dtype == by_table.dtype
        np.testing.assert_array_equal(found, by_table[[3, 0, 3]])


def test_the_environment_shows_the_same_overview_at_every_step_in_both_forms_and_backends() -> None:
    single = gym.make("glimpse_env:Glimpse/Classify-v0", **OWN, overview=(5, 11))
    first = single.reset(seed=3)[0]["overview"]
    assert first.shape == (3, 5, 11)
    assert first in single.observation_space["overview"]
    second = single.step(single.action_space.sample())[0]["overview"]
    np.testing.assert_array_equal(first, second)
    second[:] = 0
    np.testing.assert_array_equal(single.step(single.action_space.sample())[0]["overview"], first)
    for backend in ("numpy", "torch"):
        vector = gym.make_vec("glimpse_env:Glimpse/Classify-v0", num_envs=2, backend=backend, **OWN, overview=(5, 11))
        np.testing.assert_array_equal(np.asarray(vector.reset(seed=3)[0]["overview"][0]), first)


def test_one_number_counts_the_cells_of_the_longer_side() -> None:
    assert checked_overview(None, (20, 40)) is None
    assert checked_overview(10, (20, 40)) == (5, 10)
    assert checked_overview((3, 4), (20, 40)) == (3, 4)


@pytest.mark.parametrize("value", [0, 41, (0, 3), (21, 3), "many", (1, 2, 3), 2.5])
def test_what_is_no_overview_of_the_canvas_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"overview is \(rows, columns\)"):
        checked_overview(value, (20, 40))
