"""Scenes against plain loops over the generator's description, and what must never leak into one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glimpse_env.rng import draw_words
from glimpse_env.scenes import SceneConfig, Scenes, compose

CONFIGS = [
    SceneConfig((11, 14), pieces=4, piece_size=(2, 3)),
    SceneConfig((11, 14), pieces=4, piece_size=(3, 3), blend="max"),
    SceneConfig((11, 14), pieces=4, piece_size=(3, 3), blend="over"),
    SceneConfig((6, 5), pieces=2, piece_size=(6, 5)),
    SceneConfig((7, 5), pieces=1, piece_size=(1, 1)),
    SceneConfig((20, 9), pieces=0),
]


def random_images(count: int, channels: int = 1, size: tuple[int, int] = (6, 5)) -> np.ndarray:
    """Noise, a third of it black."""
    rng = np.random.default_rng(count + channels)
    shape = (count, channels, *size)
    return (rng.integers(1, 256, shape) * (rng.random(shape) > 1 / 3)).astype(np.uint8)


def make(
    images: np.ndarray, seeds: Any, episodes: Any, config: SceneConfig, place: str = "numpy", order: Any = "random"
) -> Scenes:
    """The scenes as NumPy arrays, composed at `place`. A seed or an episode number alone counts for all rows."""
    rows = np.broadcast_arrays(np.asarray(seeds, dtype=np.int64), np.asarray(episodes, dtype=np.int64))
    if place == "numpy":
        return compose(images, rows[0], rows[1], config, order)
    pool, first, second = (torch.as_tensor(value.copy(), device=place) for value in (images, *rows))
    return Scenes(*(value.cpu().numpy() for value in compose(pool, first, second, config, order)))


def compose_oracle(
    images: np.ndarray, seed: int, episode: int, config: SceneConfig, order: str
) -> tuple[np.ndarray, int, list[int]]:
    """One scene, pixel by pixel: which image and where; then for each piece which other, from where and to where."""
    count, channels, height, width = images.shape
    words = iter(draw_words(np.array([seed]), np.array([episode]), 3 + 5 * config.pieces)[0].tolist())
    canvas = np.zeros((channels, *config.size), dtype=int)

    def draw(values: int) -> int:
        return next(words) * values // 2**32

    def paste(piece: np.ndarray, x: int, y: int) -> None:
        for place in np.ndindex(piece.shape):
            new = int(piece[place])
            target = (place[0], y + place[1], x + place[2])
            old = canvas[target]
            if config.blend == "add":
                canvas[target] = min(old + new, 255)
            elif config.blend == "max":
                canvas[target] = max(old, new)
            elif new > 0:
                canvas[target] = new

    index = draw(count)
    if order == "sequential":
        index = episode % count
    position = [draw(config.size[1] - width + 1), draw(config.size[0] - height + 1)]
    others = [other for other in range(count) if other != index]
    for _ in range(config.pieces):
        source = images[others[draw(len(others))]]
        left, top = draw(width - config.piece_size[1] + 1), draw(height - config.piece_size[0] + 1)
        x, y = draw(config.size[1] - config.piece_size[1] + 1), draw(config.size[0] - config.piece_size[0] + 1)
        paste(source[:, top : top + config.piece_size[0], left : left + config.piece_size[1]], x, y)
    paste(images[index], *position)
    return canvas, index, position


@pytest.mark.parametrize(("channels", "order"), [(1, "random"), (3, "random"), (1, "sequential")])
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_scenes_equal_the_description(config: SceneConfig, channels: int, order: str, place: str) -> None:
    """Stored test sets are ranges of episode numbers: which word means what must never change."""
    images = random_images(4, channels)
    seeds, episodes = [0, 5, 2**63 - 1, 7, 7, 7, 7, 7], [3, 2**40, 0, 0, 1, 2, 3, 4]
    scenes = make(images, seeds, episodes, config, place, order)
    assert scenes.canvas.shape == (8, channels, *config.size)
    assert np.issubdtype(scenes.canvas.dtype, np.integer)
    for row, pair in enumerate(zip(seeds, episodes, strict=True)):
        canvas, index, position = compose_oracle(images, *pair, config, order)
        np.testing.assert_array_equal(scenes.canvas[row], canvas)
        assert scenes.index[row] == index
        assert scenes.position[row].tolist() == position


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_torch_composes_what_numpy_composes(config: SceneConfig, place: str) -> None:
    images = random_images(50, 3)
    reference = make(images, 11, np.arange(400), config)
    for ours, expected in zip(make(images, 11, np.arange(400), config, place), reference, strict=True):
        assert ours.dtype == expected.dtype
        np.testing.assert_array_equal(ours, expected)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**40)), max_size=6), st.sampled_from(CONFIGS))
def test_a_scene_does_not_depend_on_its_batch(pairs: list[tuple[int, int]], config: SceneConfig) -> None:
    images = random_images(5)
    for place in ("numpy", "cpu"):
        batch = make(images, [pair[0] for pair in pairs], [pair[1] for pair in pairs], config, place)
        assert len(batch.canvas) == len(pairs)
        for row, (seed, episode) in enumerate(pairs):
            alone = make(images, [seed], [episode], config, place)
            for ours, expected in zip(batch, alone, strict=True):
                np.testing.assert_array_equal(ours[row], expected[0])


def test_seeds_and_episodes_make_different_scenes() -> None:
    seeds, episodes = (grid.ravel() for grid in np.meshgrid(np.arange(30), np.arange(30)))
    canvas = make(random_images(40), seeds, episodes, CONFIGS[0]).canvas
    assert len(np.unique(canvas.reshape(900, -1), axis=0)) > 890


def test_sequential_episodes_show_each_image_once(place: str) -> None:
    images = random_images(9)
    scenes = make(images, 4, np.arange(18, 27), CONFIGS[-1], place, order="sequential")
    assert scenes.index.tolist() == list(range(9))


def test_the_images_are_left_as_they_were() -> None:
    images = random_images(4)
    before = images.copy()
    scenes = make(images, 0, np.arange(50), SceneConfig((6, 5), pieces=3, piece_size=(6, 5)))
    scenes.canvas[:] = 0
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_canvas_of_the_size_of_the_image_is_the_image(channels: int, place: str) -> None:
    images = random_images(7, channels)
    scenes = make(images, 3, np.arange(60), SceneConfig((6, 5), pieces=0), place)
    np.testing.assert_array_equal(scenes.canvas, images[scenes.index])
    assert not scenes.position.any()
    assert set(scenes.index.tolist()) == set(range(7))


def test_the_image_is_everywhere_on_the_canvas_both_ends_included() -> None:
    images = np.full((1, 1, 28, 28), 200, dtype=np.uint8)
    scenes = make(images, 0, np.arange(800), SceneConfig((60, 44), pieces=0))
    for size, canvas_size, axis, positions in [(28, 44, 3, scenes.position[:, 0]), (28, 60, 2, scenes.position[:, 1])]:
        assert set(positions.tolist()) == set(range(canvas_size - size + 1))
        lit = scenes.canvas.any(axis=(1, 5 - axis))
        np.testing.assert_array_equal(lit.argmax(axis=1), positions)
        np.testing.assert_array_equal(lit.sum(axis=1), size)


def test_pieces_come_from_everywhere_and_go_everywhere_both_ends_included() -> None:
    """One image is black, and every pixel of the other has its own value, which tells where a piece was cut."""
    coded = np.arange(1, 81, dtype=np.uint8).reshape(1, 1, 8, 10)
    images = np.concatenate([np.zeros_like(coded), coded])
    scenes = make(images, 0, np.arange(4000), SceneConfig((15, 12), pieces=1, piece_size=(3, 4)))
    canvas = scenes.canvas[scenes.index == 0, 0]
    assert ((canvas > 0).sum(axis=(1, 2)) == 12).all()
    top, left = (canvas > 0).any(axis=2).argmax(axis=1), (canvas > 0).any(axis=1).argmax(axis=1)
    code = canvas[np.arange(len(canvas)), top, left] - 1
    assert set(left.tolist()) == set(range(12 - 4 + 1))
    assert set(top.tolist()) == set(range(15 - 3 + 1))
    assert set((code % 10).tolist()) == set(range(10 - 4 + 1))
    assert set((code // 10).tolist()) == set(range(8 - 3 + 1))
    rows, columns = np.arange(3)[:, None], np.arange(4)
    for picture, y, x, first in zip(canvas, top, left, code, strict=True):
        np.testing.assert_array_equal(picture[y + rows, x + columns], first + 1 + rows * 10 + columns)


def test_pieces_come_from_every_image_but_the_one_shown() -> None:
    """Image i is i + 1 all over, so that a piece outside the shown image tells whose it is."""
    images = np.broadcast_to(np.arange(1, 6, dtype=np.uint8)[:, None, None, None], (5, 1, 4, 4)).copy()
    scenes = make(images, 1, np.arange(3000), SceneConfig((12, 12), pieces=3, piece_size=(2, 2), blend="over"))
    canvas = scenes.canvas[:, 0].copy()
    inside = np.arange(4)
    rows, columns = scenes.position[:, 1, None, None] + inside[:, None], scenes.position[:, 0, None, None] + inside
    every = np.arange(3000)[:, None, None]
    assert (canvas[every, rows, columns] == scenes.index[:, None, None] + 1).all()
    canvas[every, rows, columns] = 0
    for index in range(5):
        pixels = np.bincount(canvas[scenes.index == index].ravel(), minlength=6)[1:]
        assert pixels[index] == 0
        others = np.delete(pixels, index)
        assert (abs(others / others.sum() - 1 / 4) < 0.05).all()


@pytest.mark.parametrize(("blend", "values"), [("add", {0, 200, 255}), ("max", {0, 200}), ("over", {0, 200})])
def test_bright_pieces_meet(place: str, blend: Any, values: set[int]) -> None:
    """Where two of them overlap, 200 + 200 is clamped to 255, and neither wraps around nor exceeds it."""
    images = np.full((3, 1, 6, 6), 200, dtype=np.uint8)
    scenes = make(images, 0, np.arange(100), SceneConfig((9, 9), 4, (4, 4), blend), place)
    assert set(np.unique(scenes.canvas).tolist()) == values


def test_over_shows_the_image_on_top_and_through_its_black() -> None:
    images = random_images(6)
    scenes = make(images, 2, np.arange(300), SceneConfig((6, 5), 2, (6, 5), "over"))
    shown = images[scenes.index]
    np.testing.assert_array_equal(np.where(shown > 0, scenes.canvas, 0), shown)
    assert scenes.canvas[shown == 0].any()


@pytest.mark.parametrize(
    ("config", "images", "message"),
    [
        (SceneConfig((27, 60)), (9, 1, 28, 28), "smaller than the images"),
        (SceneConfig((60, 27)), (9, 1, 28, 28), "smaller than the images"),
        (SceneConfig(pieces=-1), (9, 1, 28, 28), "pieces must be"),
        (SceneConfig(pieces=1), (1, 1, 28, 28), "at least two images"),
        (SceneConfig(piece_size=(8, 0)), (9, 1, 28, 28), "piece_size"),
        (SceneConfig(piece_size=(8, 9)), (9, 1, 28, 8), "piece_size"),
        (SceneConfig(piece_size=(9, 8)), (9, 1, 8, 28), "piece_size"),
        (SceneConfig(blend="multiply"), (9, 1, 28, 28), "add, max, over"),  # type: ignore[arg-type]
        (SceneConfig(), (9, 28, 28), "shape"),
        (SceneConfig(), (0, 1, 28, 28), "shape"),
    ],
    ids=str,
)
def test_what_cannot_be_composed_is_refused(config: SceneConfig, images: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config.check(images)


@pytest.mark.parametrize(
    ("config", "images"),
    [
        *((config, (4, 3, 6, 5)) for config in CONFIGS),
        (SceneConfig(), (2, 1, 28, 28)),
        (SceneConfig((4, 4), pieces=0), (1, 1, 4, 4)),  # the default pieces are larger, but there are none
        (SceneConfig((8, 8)), (2, 1, 8, 8)),
    ],
    ids=str,
)
def test_what_can_be_composed_passes_the_check(config: SceneConfig, images: tuple[int, int, int, int]) -> None:
    config.check(images)
    scenes = make(random_images(images[0], images[1], images[2:]), 0, np.arange(5), config)
    assert 0 <= scenes.canvas.min() <= scenes.canvas.max() <= 255


def test_an_overhang_lets_the_image_stick_out_of_the_canvas_on_every_side(place: str):
    """Cut, not wrapped around or squeezed: what remains is where `position` says."""
    images = np.arange(1, 13, dtype=np.uint8).reshape(1, 1, 3, 4)
    config = SceneConfig(size=(3, 4), pieces=0, overhang=2)
    device = "cpu" if place == "numpy" else place
    count = 200
    arrays = [images, np.zeros(count, np.int64), np.arange(count)]
    if place != "numpy":
        arrays = [torch.from_numpy(array).to(device) for array in arrays]
    scenes = compose(*arrays, config)
    canvases, positions = (
        np.asarray(part.cpu() if place != "numpy" else part) for part in (scenes.canvas, scenes.position)
    )
    assert positions.min(axis=0).tolist() == [-2, -2]
    assert positions.max(axis=0).tolist() == [2, 2]
    for canvas, (x, y) in zip(canvases, positions, strict=True):
        padded = np.pad(images[0, 0], 2)
        assert np.array_equal(canvas[0], padded[2 - y : 5 - y, 2 - x : 6 - x])


def test_pieces_stay_on_the_canvas_whatever_the_overhang():
    images = np.zeros((2, 1, 4, 4), np.uint8) + np.array([0, 9], np.uint8)[:, None, None, None]
    config = SceneConfig(size=(4, 4), pieces=1, piece_size=(2, 2), overhang=3)
    episodes = np.arange(300)
    scenes = compose(images, np.zeros(300, np.int64), episodes, config)
    blank = scenes.index == 0
    assert blank.sum() > 100
    assert ((scenes.canvas[blank] == 9).sum(axis=(1, 2, 3)) == 4).all()
