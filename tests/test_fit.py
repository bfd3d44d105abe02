"""How images of many sizes go onto a canvas: at their own size, within it, or over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import SyncVectorEnv
from PIL import Image

import glimpse_env.images
from agents.config import AgentConfig
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer
from glimpse_env import pictures
from glimpse_env.backend import get_backend
from glimpse_env.decoding import decode
from glimpse_env.fitting import Fit, Fitting
from glimpse_env.tasks import make_task
from runs.environments import make_canvas_env, make_env

ID = "glimpse_env:Glimpse/Classify-v0"
SIZES = [(9, 14), (20, 6), (12, 12), (5, 5), (40, 80)]
SEEDS, EPISODES = np.zeros(20, np.int64), np.arange(20)


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "CACHE", pictures.PictureCache())


@pytest.fixture(params=["decoded at once", "decoded when shown"])
def mixed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of one class, of twenty pictures without a black pixel, in the order of their names."""
    monkeypatch.setattr(glimpse_env.images, "DENSE_BYTES", 2**28 if request.param == "decoded at once" else 0)
    glimpse_env.images._read.cache_clear()
    (tmp_path / "a").mkdir()
    for row in range(20):
        Image.fromarray(picture(row)).save(tmp_path / "a" / f"{row:02}.png")
    return str(tmp_path)


def picture(row: int) -> np.ndarray:
    return np.random.default_rng(row).integers(1, 256, (*SIZES[row % 5], 3), np.uint8)


def task_of(images: Any, backend: str = "numpy", **kwargs: Any) -> Any:
    settings = {"dataset": None, "patch": 4, "num_glimpses": 3, "split": "all", "order": "sequential", **kwargs}
    return make_task("Classify-v0", get_backend(backend), images=images, **settings)


def canvases(task: Any) -> np.ndarray:
    return task.compose(SEEDS, EPISODES).canvas.transpose(0, 2, 3, 1)


# Sizes


@pytest.mark.parametrize(
    ("size", "contained", "covering"),
    [
        ((100, 100), (30, 30), (40, 40)),
        ((60, 80), (30, 40), (30, 40)),
        ((6, 8), (30, 40), (30, 40)),
        ((50, 200), (10, 40), (30, 120)),
        ((200, 50), (30, 8), (160, 40)),
        ((1, 10_000), (1, 40), (30, 300_000)),
    ],
)
def test_proportions_are_kept(size: Any, contained: Any, covering: Any) -> None:
    contain, cover = (Fitting.of(fit, None, (30, 40)) for fit in ("contain", "cover"))
    assert contain.scaled(size) == contain.shown(size) == contained
    assert cover.scaled(size) == covering
    assert cover.shown(size) == (30, 40)


def test_a_long_and_narrow_picture_is_never_enlarged_as_a_whole() -> None:
    """Which would be 300 × 3,000,000 pixels, of which 300 × 300 are shown."""
    line = np.arange(10_000, dtype=np.int64).reshape(1, -1, 1) // 40
    shown = Fitting(None, "cover", (300, 300)).apply(line.astype(np.uint8))
    assert shown.shape == (300, 300, 1)
    assert set(shown.ravel().tolist()) <= {124, 125}


@pytest.mark.parametrize("fit", ["pad", "contain", "cover"])
@pytest.mark.parametrize("size", [(60, 90), (90, 60), (61, 97), (20, 300)])
def test_points_are_found_again_in_the_picture(fit: Fit, size: tuple[int, int]) -> None:
    fitting = Fitting.of(fit, 30, None)
    picture = np.zeros((*size, 1), np.uint8)
    y, x = size[0] // 2 - 6, size[1] // 2 + 4
    picture[y - 4 : y + 4, x - 4 : x + 4] = 255
    shown = fitting.apply(picture)[..., 0].astype(float)
    if fit == "contain":  # as the task puts it onto the canvas
        (down, across), canvas = (np.array([30, 30]) - shown.shape) // 2, np.zeros((30, 30))
        canvas[down : down + shown.shape[0], across : across + shown.shape[1]] = shown
        shown = canvas
    places = np.argwhere(np.ones_like(shown)) + 0.5
    middle = np.average(places, axis=0, weights=shown.ravel())[::-1].astype(np.float32)
    scale = max(size[0] / fitting.scaled(size)[0], size[1] / fitting.scaled(size)[1])
    np.testing.assert_allclose(fitting.in_picture(middle, size), [x, y], atol=max(1.0, scale))


def test_what_is_smaller_is_an_average_and_what_is_larger_bilinear() -> None:
    large, small = picture(4), picture(3)
    means = large.reshape(20, 2, 40, 2, 3).astype(float).mean((1, 3))
    np.testing.assert_allclose(Fitting(None, "contain", (20, 60)).apply(large), means, atol=0.51)
    np.testing.assert_allclose(Fitting(None, "cover", (20, 10)).apply(large), means[:, 15:25], atol=0.51)
    expected = cv2.resize(small, (10, 10), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(Fitting(None, "contain", (10, 30)).apply(small), expected)
    np.testing.assert_array_equal(Fitting(None, "cover", (10, 10)).apply(small), expected)


@pytest.mark.parametrize("fit", ["contain", "cover"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_a_turned_picture_is_fitted_upright(tmp_path: Path, fit: Fit, orientation: int, format: str) -> None:
    rows, columns = np.mgrid[:160, :240]
    image = np.stack([rows, columns, 255 - rows], axis=-1).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "picture"
    Image.fromarray(image).save(path, format, exif=exif, **({} if format == "PNG" else {"quality": 100}))
    whole, fitting = decode(path), Fitting(None, fit, (20, 25))
    np.testing.assert_allclose(decode(path, fitting).astype(int), fitting.apply(whole).astype(int), atol=4)


# Scenes


def test_contain_shows_the_whole_picture_in_the_middle_of_black(mixed: str) -> None:
    task = task_of(mixed, fit="contain", size=(24, 32))
    assert task.canvas_size == (24, 32)
    fitting = Fitting(None, "contain", (24, 32))
    for row, (canvas, box) in enumerate(zip(canvases(task), task.target_boxes(SEEDS, EPISODES), strict=True)):
        left, top, right, bottom = box
        shown = fitting.apply(picture(row))
        assert shown.shape[:2] == (bottom - top, right - left)
        assert (bottom - top == 24) or (right - left == 32)
        assert 0 <= (24 - bottom) - top <= 1
        assert 0 <= (32 - right) - left <= 1
        expected = np.zeros((24, 32, 3), np.uint8)
        expected[top:bottom, left:right] = shown
        np.testing.assert_array_equal(canvas, expected)


def test_cover_fills_the_canvas_with_the_middle_of_the_picture(mixed: str) -> None:
    task = task_of(mixed, fit="cover", size=(24, 32))
    assert (task.target_boxes(SEEDS, EPISODES) == (0, 0, 32, 24)).all()
    for row, canvas in enumerate(canvases(task)):
        np.testing.assert_array_equal(canvas, Fitting(None, "cover", (24, 32)).apply(picture(row)))
    assert (canvases(task) > 0).all()


@pytest.mark.parametrize("fit", ["contain", "cover"])
def test_the_canvas_is_the_size_or_a_square_of_resize_or_the_largest(mixed: str, fit: str) -> None:
    assert task_of(mixed, fit=fit).canvas_size == (40, 80)
    assert task_of(mixed, fit=fit, resize=30).canvas_size == (30, 30)
    assert task_of(mixed, fit=fit, size=(30, 7)).canvas_size == (30, 7)
    assert task_of(mixed, fit=fit, resize=30).scene.centred


def test_pad_is_what_it_was(mixed: str) -> None:
    for settings in ({}, {"resize": 16}, {"size": 90}):
        np.testing.assert_array_equal(
            canvases(task_of(mixed, **settings)), canvases(task_of(mixed, fit="pad", **settings))
        )
    boxes = task_of(mixed, size=90, order="random").target_boxes(np.zeros(500, np.int64), np.arange(500))
    assert len(np.unique(boxes[:, :2], axis=0)) > 400


def test_an_overhang_moves_the_picture_about_the_middle(mixed: str) -> None:
    numbers = np.zeros(3000, np.int64), np.arange(3000)
    for fit in ("contain", "cover"):
        boxes, still = (task_of(mixed, fit=fit, size=30, overhang=out).target_boxes(*numbers) for out in (2, 0))
        for axis in range(2):
            assert set(np.unique(boxes[:, axis] - still[:, axis])) == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize("fit", ["contain", "cover"])
def test_every_face_shows_the_same(mixed: str, fit: str) -> None:
    settings = {"images": mixed, "fit": fit, "size": 16, "patch": 6, "pieces": 2, "piece_size": 3, "split": "train"}
    alone = SyncVectorEnv([lambda: gym.make(ID, **settings)] * 5)
    faces = [alone, gym.make_vec(ID, num_envs=5, **settings), gym.make_vec(ID, num_envs=5, backend="torch", **settings)]
    first, *others = [np.asarray(env.reset(seed=3)[0]["glimpse"]) for env in faces]
    for other in others:
        np.testing.assert_array_equal(other, first)
    alone.close()


@pytest.mark.parametrize("fit", ["contain", "cover"])
def test_arrays_and_named_datasets_are_fitted_too(noise_digits: None, fit: str) -> None:
    images = np.stack([picture(0), picture(5)])
    task = task_of(images, labels=[0, 1], fit=fit, size=(18, 40))
    fitting = Fitting(None, fit, (18, 40))  # type: ignore[arg-type]
    left, top, right, bottom = task.target_boxes(SEEDS, EPISODES)[0]
    for row in range(2):
        np.testing.assert_array_equal(canvases(task)[row, top:bottom, left:right], fitting.apply(images[row]))
    digits = task_of(None, dataset="mnist", split="test", fit=fit, size=60)
    assert digits.image_size == digits.canvas_size == (60, 60)


def test_pictures_are_decoded_when_shown_and_kept_as_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glimpse_env.images, "DENSE_BYTES", 0)
    (tmp_path / "a").mkdir()
    for row in range(4):
        Image.fromarray(picture(row)).save(tmp_path / "a" / f"{row}.png")
    decoded: list[str] = []
    real = pictures.decode
    monkeypatch.setattr(pictures, "decode", lambda path, *how: decoded.append(path) or real(path, *how))
    task = task_of(str(tmp_path), fit="cover", size=10)
    assert len(decoded) == 1  # the first is of colour, and so all are
    for _ in range(3):
        canvases(task)
    assert len(decoded) == 4
    assert pictures.CACHE.bytes == 4 * 3 * 10 * 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fit": "crop"}, "fit must be one of pad, contain, cover, got 'crop'"),
        ({"fit": None}, "fit must be one of pad, contain, cover, got None"),
        ({"fit": "cover", "size": 20, "resize": 20}, "give size= .* or resize= .*, not both"),
        ({"fit": "contain", "resize": 0}, "resize is the longest side"),
        ({"fit": "contain", "size": 0}, "size must be at least 1"),
        ({"size": 20}, r'smaller than the images, \(40, 80\); .* resize=, or fit="contain"'),
    ],
    ids=str,
)
def test_wrong_arguments(mixed: str, settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task_of(mixed, **settings)


# The gaze


def test_the_oracle_looks_at_the_middle_of_the_canvas(mixed: str) -> None:
    gaze = task_of(mixed, fit="contain", size=(24, 32)).gaze("oracle", SEEDS, EPISODES)
    assert np.abs(gaze).max() < 1.001 / 24  # half a pixel


def test_a_fixation_of_the_padding_is_off_the_image(mixed: str) -> None:
    top, middle = (0, -0.9), (0, 0)
    path = np.array([[top, top, middle]] * 20, np.float32)  # the first is not chosen
    metrics = {
        fit: task_of(mixed, fit=fit, size=80).path_metrics(path, SEEDS, EPISODES) for fit in ("contain", "cover")
    }
    upright = np.mean([size[0] >= size[1] for size in SIZES])
    assert metrics["contain"]["attention/off_image"] == pytest.approx((1 - upright) / 2)
    assert metrics["contain"]["attention/target_hit_rate"] == pytest.approx((1 + upright) / 2)
    assert metrics["cover"]["attention/off_image"] == 0
    assert "attention/target_hit_rate" not in metrics["cover"]
    padded = task_of(mixed, size=200).path_metrics(path, SEEDS, EPISODES)
    assert padded["attention/off_image"] == pytest.approx(1 - padded["attention/target_hit_rate"])
    edge = np.ones((20, 3, 2), np.float32)
    assert task_of(mixed, fit="cover", size=80).path_metrics(edge, SEEDS, EPISODES)["attention/off_image"] == 1


def test_a_fixation_among_clutter_is_on_the_image(noise_digits: None, mixed: str) -> None:
    path = np.full((20, 3, 2), 0.99, np.float32)
    cluttered = task_of(mixed, size=200, pieces=2, piece_size=3)
    translated = make_task("TranslatedMNIST-v0", get_backend("numpy"), split="test")
    for task in (cluttered, translated):
        assert task.path_metrics(path, SEEDS, EPISODES)["attention/off_image"] == 0


# Training and evaluation


def test_a_trained_agent_sees_your_canvases_fitted_as_in_training(mixed: str) -> None:
    env = EnvConfig("Classify-v0", images=mixed, size=24, fit="cover", patch=6, scales=2, num_glimpses=3)
    recipe, cpu = Recipe("toy", env, AgentConfig(width=16, where_stream=8), batch=6), torch.device("cpu")
    trainer = Trainer.begin(recipe, make_env(recipe, "train", 6, cpu), cpu)
    assert make_env(recipe, "test", 2, cpu).unwrapped.task.image_size == (24, 24)
    shown = make_canvas_env(recipe, trainer.agent, trainer.names, mixed, 2, cpu).unwrapped.task
    assert (shown.canvas_size, shown.image_size) == ((24, 24), (24, 24))
