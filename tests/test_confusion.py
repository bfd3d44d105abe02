"""Which classes are taken for which, and how sure a share of errors is; one's own images are each shown once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents import AgentConfig
from agents.training.recipe import EnvConfig, Recipe
from runs.confusion import confusion_lines, wilson_interval
from runs.evaluation import evaluate_checkpoint, lines_of
from runs.training import train


@pytest.mark.parametrize(
    ("wrong", "count", "expected"),
    [(0, 10, (0.0, 27.75)), (1, 10, (1.79, 40.42)), (5, 10, (23.66, 76.34)), (50, 1000, (3.81, 6.53))],
)
def test_wilsons_interval(wrong: int, count: int, expected: tuple[float, float]) -> None:
    """Against published values, such as those of Brown, Cai & DasGupta 2001."""
    assert wilson_interval(wrong, count) == pytest.approx(expected, abs=0.01)
    low, high = wilson_interval(count - wrong, count)
    assert wilson_interval(wrong, count) == pytest.approx((100 - high, 100 - low))


@pytest.fixture(scope="module")
def run(images: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training on three classes of thirty figures, of which three are for the test."""
    folder = tmp_path_factory.mktemp("run")
    env = EnvConfig("Classify-v0", images=images, size=16, patch=6, num_glimpses=2)
    recipe = Recipe("toy", env, AgentConfig(width=16, where_stream=16), episodes=128, batch=64)
    train(recipe, folder, device="cpu", quiet=True)
    return folder


def test_ones_own_images_are_each_shown_once(run: Path, images: str) -> None:
    report = evaluate_checkpoint(run, device="cpu")
    assert (report["split"], report["episodes"]) == ("test", 9)
    matrix = np.array(report["confusion"])
    assert matrix.shape == (3, 3)
    assert matrix.sum(1).tolist() == [3, 3, 3]
    assert report["error"] == pytest.approx(100 * (1 - matrix.trace() / 9))
    rows = report["error_by_class"]
    assert [rows[name]["images"] for name in ("0", "1", "2")] == [3, 3, 3]
    assert np.mean([row["error"] for row in rows.values()]) == pytest.approx(report["error"], abs=1e-3)
    low, high = report["error_interval"]
    assert low <= report["error"] <= high
    for split, count in (("validation", 9), ("train", 72)):
        other = evaluate_checkpoint(run, split=split, device="cpu")  # type: ignore[arg-type]
        assert other["episodes"] == count
        assert [row["images"] for row in other["error_by_class"].values()] == [count // 3] * 3


def test_training_images_are_not_scored_unless_asked_for(run: Path, images: str, tmp_path: Path) -> None:
    own = evaluate_checkpoint(run, images=Path(images), device="cpu")
    assert (own["split"], own["episodes"]) == ("test", 9)
    assert evaluate_checkpoint(run, images=Path(images), split="all", device="cpu")["episodes"] == 90
    with np.load(images) as arrays:
        np.savez(tmp_path / "others.npz", images=arrays["images"][::3], labels=arrays["labels"][::3])
    others = evaluate_checkpoint(run, images=tmp_path / "others.npz", device="cpu")
    assert (others["split"], others["episodes"]) == ("all", 30)


def test_a_scripted_gaze_takes_the_place_of_the_learned_one(run: Path, images: str) -> None:
    learned, random, oracle = (
        evaluate_checkpoint(run, images=Path(images), gaze=gaze, device="cpu") for gaze in ("", "random", "oracle")
    )
    assert [report["gaze"] for report in (learned, random, oracle)] == ["learned", "random", "oracle"]
    assert random["error"] == learned["error_random_gaze"] == random["error_random_gaze"]
    assert oracle["error_random_gaze"] == learned["error_random_gaze"]
    with pytest.raises(ValueError, match="no scripted gaze 'elsewhere'; it has random, centre, grid, oracle"):
        evaluate_checkpoint(run, images=Path(images), gaze="elsewhere", device="cpu")


def test_a_split_of_what_has_none_is_refused(tmp_path: Path) -> None:
    recipe = Recipe("toy", EnvConfig("Copy-v0"), AgentConfig(width=8, core="lstm"), episodes=2, batch=2)
    train(recipe, tmp_path, device="cpu", quiet=True)
    with pytest.raises(ValueError, match="--split is for images and stories that have splits, not for toy"):
        evaluate_checkpoint(tmp_path, split="validation", device="cpu")


def test_the_classes_that_are_confused_most_often_are_named(run: Path) -> None:
    report = {
        "classes": ["cat", "dog", "hen"],
        "confusion": [[5, 3, 0], [1, 9, 0], [0, 0, 0]],
        "error_by_class": {"cat": {"images": 8, "error": 37.5}, "dog": {"images": 10, "error": 10.0}},
        "error_interval": (9.0, 45.2),
    }
    assert confusion_lines(report) == [
        "  95 % interval of the error 9.00 to 45.20 %",
        "",
        "  cat      8 images   37.50 % wrong",
        "  dog     10 images   10.00 % wrong",
        "  cat taken for dog: 3",
        "  dog taken for cat: 1",
    ]
    assert any(line.startswith("  95 % interval") for line in lines_of(evaluate_checkpoint(run, device="cpu")))
