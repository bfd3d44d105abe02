"""What gazes have in common, in numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from glimpse_env.backend import get_backend
from glimpse_env.path_metrics import (
    coverage,
    fixation_entropy,
    hit_rate,
    off_image,
    saccade_length,
    story_coverage,
)
from glimpse_env.retina import Retina
from glimpse_env.tasks import make_task


def paths(*rows: list[tuple[float, ...]]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_saccades_are_measured_from_fixation_to_fixation() -> None:
    assert saccade_length(paths([(0, 0), (0.3, 0.4), (0.3, 0.4)], [(0, 0), (0, 1), (0, 0)])) == pytest.approx(0.625)
    assert saccade_length(paths([(0, 0)])) == 0


def test_one_place_has_no_entropy_and_all_cells_alike_the_most() -> None:
    same = np.zeros((50, 4, 2), np.float32)
    assert fixation_entropy(same) == 0
    same[:, 0] = np.random.default_rng(0).uniform(-1, 1, (50, 2))  # the environment's choice, not the agent's
    assert fixation_entropy(same) == 0
    middles = (np.arange(4) * 2 + 1) / 4 - 1
    grid = np.stack(np.meshgrid(middles, middles), -1).reshape(1, 16, 2)
    everywhere = np.concatenate([grid[:, :1], grid], 1)
    assert fixation_entropy(everywhere, cells=4) == pytest.approx(math.log(16))
    assert fixation_entropy(paths([(0, 0), (1, 1), (-1, -1)]), cells=4) == pytest.approx(math.log(2))


@pytest.mark.parametrize("retina", [Retina((6, 4), 2), Retina((5, 7), 1), Retina((60, 60), 1)])
def test_coverage_is_what_a_count_of_pixels_says(retina: Retina) -> None:
    rng, size = np.random.default_rng(1), (17, 23)
    path = rng.uniform(-1, 1, (40, 5, 2)).astype(np.float32)
    path[0] = 1  # in a corner: most of the window lies outside
    shares = []
    for row in path:
        seen = np.zeros(size, bool)
        for x, y in row:
            left, top, right, bottom = retina.windows((x, y), size)[0]
            seen[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
        shares.append(seen.mean())
    assert coverage(path, size, retina) == pytest.approx(np.mean(shares), abs=1e-6)
    assert coverage(path[:1], size, retina) == pytest.approx(shares[0], abs=1e-6)


def test_a_hit_lies_in_the_box() -> None:
    path = paths([(0, 0), (-1, -1), (0, 0)], [(0, 0), (0.5, 0.5), (1, 1)])
    boxes = np.array([[0, 0, 5, 5], [12, 12, 18, 18]])
    assert hit_rate(path, boxes, (20, 20)) == 0.5  # the first fixation does not count: (0, 0) in (10, 10) misses anyway
    assert hit_rate(path[:, :1], boxes, (20, 20)) == 0


def test_looking_twice_at_a_line_covers_one_line() -> None:
    path = np.array([[0.75, -0.25, 0.75], [0.5, -0.5, 0.5]], np.float32)[..., None]
    assert story_coverage(path, np.array([4, 2])) == pytest.approx((2 / 4 + 2 / 2) / 2)


def test_the_target_box_holds_the_image_and_the_oracle_hits_it() -> None:
    images = np.full((6, 5, 4), 200, np.uint8)
    own = {"images": images, "labels": np.arange(6) % 3, "split": "all", "patch": 4, "num_glimpses": 3}
    task = make_task("Classify-v0", get_backend("numpy"), size=20, **own)
    seeds, episodes = np.full(8, 7), np.arange(2, 10)
    boxes = task.target_boxes(seeds, episodes)
    assert boxes is not None
    for episode, (left, top, right, bottom) in zip(episodes.tolist(), boxes, strict=True):
        canvas = task.canvas(7, episode)
        assert canvas is not None
        assert (canvas.shape, canvas.dtype) == ((20, 20, 1), np.uint8)
        assert (canvas[top:bottom, left:right] == 200).all()
        assert (canvas > 0).sum() == (right - left) * (bottom - top) == 20
    oracle = task.gaze("oracle", seeds, episodes)
    np.testing.assert_allclose(oracle[:, 0], (boxes[:, :2] + boxes[:, 2:]) / 20 - 1, atol=1e-6)
    path = np.concatenate([np.zeros((8, 1, 2), np.float32), oracle], 1)
    metrics = task.path_metrics(path, seeds, episodes)
    assert list(metrics) == [
        f"attention/{name}" for name in ("saccade_length", "entropy", "coverage", "off_image", "target_hit_rate")
    ]
    assert metrics["attention/target_hit_rate"] == 1
    whole = make_task("Classify-v0", get_backend("numpy"), **own)
    assert "attention/target_hit_rate" not in whole.path_metrics(path, seeds, episodes)  # the target is all there is


def test_an_oracle_stays_on_the_canvas_where_the_image_sticks_out() -> None:
    own = {"images": np.ones((4, 8, 8), np.uint8), "labels": [0, 1, 0, 1], "split": "all", "overhang": 7, "patch": 2}
    task = make_task("Classify-v0", get_backend("numpy"), **own)
    oracle = task.gaze("oracle", np.zeros(400, np.int64), np.arange(400))
    assert (np.abs(oracle).min(), np.abs(oracle).max()) == (0, 1)


def test_a_class_is_shown_as_its_mean_image() -> None:
    images = np.stack([np.full((3, 2), value, np.uint8) for value in (0, 100, 200, 50)])
    own = {"images": images, "labels": [0, 0, 2, 2], "classes": 4, "split": "all", "patch": 2}
    shapes = make_task("Classify-v0", get_backend("numpy"), **own).class_shapes()
    assert shapes is not None
    assert (shapes.shape, shapes.dtype) == ((4, 3, 2), np.float64)
    np.testing.assert_allclose(shapes[:, 0, 0], np.array([50, 0, 125, 0]) / 255)


def test_the_lines_of_a_story_are_counted(babi_folder: str) -> None:
    task = make_task("BabiGaze-v0", get_backend("numpy"), data=babi_folder, split="test", num_glimpses=3)
    seeds, episodes = np.zeros(2, np.int64), np.arange(2)
    story = task.story(seeds, episodes)
    assert story is not None
    path = np.zeros((2, 3, 1), np.float32)  # one line of each story
    metrics = task.path_metrics(path, seeds, episodes)
    assert metrics["attention/coverage"] == pytest.approx((1 / story.count).mean())


def test_fixations_at_the_edge_are_off_the_image() -> None:
    path = np.array([[[-1, -1], [0.99, 0], [1, 0.2], [0.3, -1]]], np.float32)
    assert off_image(path) == pytest.approx(2 / 3)  # the first is not chosen
    assert off_image(path[:, :1]) == 0
