"""What an environment draws of large canvases in colour."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from glimpse_env.render import FRAME, LARGEST, PATH_COLOUR, UNSEEN, WINDOW_COLOURS, draw_gaze, magnification, resized
from glimpse_env.retina import Retina

PATH = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5]], np.float32)


@pytest.mark.parametrize(
    ("canvas", "picture"),
    [
        ((28, 28), (364, 364)),
        ((60, 40), (360, 240)),
        ((500, 400), (500, 400)),
        ((800, 1360), (424, 720)),
        ((3000, 4000), (540, 720)),
        ((5000, 3), (720, 1)),
    ],
    ids=str,
)
def test_frames_have_a_bounded_size(canvas: tuple[int, int], picture: tuple[int, int]) -> None:
    for channels in (1, 3):
        drawn = draw_gaze(np.full((*canvas, channels), 90, np.uint8), PATH, Retina((4, 4), 2))
        assert drawn.shape == (*picture, 3)
        assert drawn.dtype == np.uint8
    assert FRAME <= max(drawn.shape) <= LARGEST


@pytest.mark.parametrize("times", [1, 2, 10])
def test_lines_and_windows_are_in_proportion_to_the_canvas(times: int) -> None:
    """A canvas of 360 x 240 pixels, and larger ones of the same scene: its path is 2 pixels wide of 360."""
    canvas = np.zeros((240 * times, 360 * times, 3), np.uint8)
    drawn = draw_gaze(canvas, PATH, Retina((40 * times, 60 * times), 1))
    share = drawn.shape[1] / 360
    upper = (drawn[:, drawn.shape[1] // 2] == PATH_COLOUR).all(-1)
    assert 2 * share - 1 <= upper.sum() <= 2 * share + 1
    assert np.flatnonzero(upper).mean() == pytest.approx(60 * share, abs=1)
    down, across = np.nonzero((drawn == WINDOW_COLOURS[0]).all(-1))
    found = np.array([across.min(), across.max() + 1, down.min(), down.max() + 1])
    np.testing.assert_allclose(found / share, [240, 300, 160, 200], atol=1)


def test_a_street_scene_is_grey_but_where_windows_were() -> None:
    scenes = np.broadcast_to(np.array([30, 60, 200], np.uint8), (2, 800, 1360, 3))
    settings = {"images": scenes, "labels": [0, 1], "split": "all", "patch": 96, "scales": 2}
    env = gym.make("glimpse_env:Glimpse/Classify-v0", render_mode="rgb_array", **settings)
    env.reset(seed=0)
    picture = env.render().astype(int)  # type: ignore[attr-defined]
    assert picture.shape == (424, 720, 3)
    seen, unseen = picture[212 - 20, 360 - 20], picture[20, 20]
    assert seen[2] - seen[0] > 120
    assert len(set(unseen.tolist())) == 1
    assert unseen[0] == round(UNSEEN * round(0.299 * 30 + 0.587 * 60 + 0.114 * 200))


def test_a_canvas_is_shrunk_by_averages() -> None:
    canvas = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    means = canvas.reshape(4, 10, 6, 10, 3).mean((1, 3))
    np.testing.assert_allclose(resized(canvas, 0.1), means, atol=0.51)
    assert magnification((3000, 4000), (340, 340)) == 340 / 4000
    np.testing.assert_array_equal(resized(canvas, 5), canvas.repeat(5, 0).repeat(5, 1))
