"""The retina against plain slicing and averaging of a zero-padded image."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glimpse_env.backend import get_backend
from glimpse_env.image_ops import PLAIN, image_ops
from glimpse_env.retina import MAX_PIXELS, Retina, fixation_pixel, glimpse, summed_area_table

PATCHES = [(1, 1), (5, 7), (8, 8), (12, 12), (9, 4)]
CANVASES = [(1, 28, 28), (3, 31, 24), (1, 17, 45), (2, 1, 3)]


def look(canvas: np.ndarray, location: Any, retina: Retina, place: str = "numpy") -> np.ndarray:
    """The glimpses of (N, C, H, W) canvases at (N, 2) locations, computed at `place`."""
    where = np.asarray(location, dtype=np.float32).reshape(-1, 2)
    if place == "numpy":
        return glimpse(summed_area_table(canvas), where, retina)
    tensors = [torch.as_tensor(value, device=place) for value in (canvas, where)]
    return glimpse(summed_area_table(tensors[0]), tensors[1], retina).cpu().numpy()


def look_oracle(canvas: np.ndarray, pixel: tuple[int, int], retina: Retina) -> np.ndarray:
    """The glimpse of one (C, H, W) canvas around the pixel corner (x, y)."""
    patches = []
    for scale in range(retina.scales):
        block = 2**scale
        height, width = retina.patch[0] * block, retina.patch[1] * block
        padded = np.pad(canvas.astype(np.int64), ((0, 0), (height, height), (width, width)))
        top, left = pixel[1] - height // 2 + height, pixel[0] - width // 2 + width
        window = padded[:, top : top + height, left : left + width]
        sums = window.reshape(len(canvas), retina.patch[0], block, retina.patch[1], block).sum(axis=(2, 4))
        patches.append(sums.astype(np.float32) / np.float32(255 * block**2))
    return np.stack(patches)


def locate(pixel: tuple[int, int], image: tuple[int, int]) -> tuple[float, float]:
    """The location of a pixel corner (x, y) in an image (height, width)."""
    return 2 * pixel[0] / image[1] - 1, 2 * pixel[1] / image[0] - 1


def random_canvas(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.int32)


def test_table_holds_the_sums_of_all_corners(host_place: str) -> None:
    canvas = random_canvas(0, (2, 3, 5, 7))
    table = summed_area_table(canvas if host_place == "numpy" else torch.as_tensor(canvas, device=host_place))
    assert table.shape == (2, 3, 6, 8)
    for y in range(6):
        for x in range(8):
            np.testing.assert_array_equal(table[:, :, y, x].tolist(), canvas[:, :, :y, :x].sum(axis=(2, 3)))


@pytest.mark.parametrize("shape", CANVASES, ids=str)
def test_glimpse_equals_slicing_and_averaging(shape: tuple[int, int, int], host_place: str) -> None:
    """At the corners, the edges, the middle and beside them; another canvas in every row."""
    _, height, width = shape
    columns = sorted({0, 1, width // 2, width - 1, width})
    pixels = [(x, y) for x in columns for y in sorted({0, 1, height // 2, height - 1, height})]
    canvas = random_canvas(1, (len(pixels), *shape))
    for patch, scales in [*((patch, 4) for patch in PATCHES), (PATCHES[1], 1)]:
        retina = Retina(patch, scales)
        seen = look(canvas, [locate(pixel, (height, width)) for pixel in pixels], retina, host_place)
        assert seen.shape == (len(pixels), scales, shape[0], *patch)
        assert seen.dtype == np.float32
        for row, pixel in enumerate(pixels):
            np.testing.assert_array_equal(seen[row], look_oracle(canvas[row], pixel, retina))


def test_torch_sees_what_numpy_sees(place: str) -> None:
    rng = np.random.default_rng(2)
    canvas = random_canvas(3, (300, 1, 45, 60))
    location = rng.uniform(-1, 1, (300, 2)).astype(np.float32)
    location[:9] = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]  # y = 0 lies between two pixel corners
    retina = Retina((12, 10), 4)
    np.testing.assert_array_equal(look(canvas, location, retina, place), look(canvas, location, retina))


def test_no_rows_give_no_glimpses(host_place: str) -> None:
    assert look(np.zeros((0, 1, 9, 9), dtype=np.int32), [], Retina((3, 2), 2), host_place).shape == (0, 2, 1, 3, 2)


coordinate = st.floats(-1, 1, width=32)


@settings(deadline=None)
@given(coordinate, coordinate, st.integers(1, 300), st.integers(1, 300))
def test_fixation_is_the_nearest_pixel_corner(x: float, y: float, height: int, width: int) -> None:
    pixel = fixation_pixel(np.asarray([[x, y]], dtype=np.float32), (height, width))[0]
    for corner, value, size in zip(pixel.tolist(), (x, y), (width, height), strict=True):
        exact = (Fraction(value) + 1) * size / 2
        assert 0 <= corner <= size
        assert abs(corner - exact) <= Fraction(1, 2) + Fraction(size, 2**22)  # float32 rounds the sum and the product


def test_fixation_between_two_corners_is_the_right_and_lower_one() -> None:
    assert fixation_pixel(np.zeros((1, 2), dtype=np.float32), (7, 5)).tolist() == [[3, 4]]
    for pixel, location in [((0, 0), (-1, -1)), ((5, 7), (1, 1)), ((5, 0), (1, -1))]:
        assert fixation_pixel(np.asarray([location], dtype=np.float32), (7, 5)).tolist() == [list(pixel)]


@settings(deadline=None)
@given(coordinate, coordinate, st.sampled_from(PATCHES), st.sampled_from(CANVASES))
def test_windows_are_where_the_glimpse_samples(
    x: float, y: float, patch: tuple[int, int], shape: tuple[int, int, int]
) -> None:
    """White inside the window and black outside is seen whole; black inside and white outside is not seen."""
    retina = Retina(patch, 4)
    for scale, (left, top, right, bottom) in enumerate(retina.windows((x, y), shape[1:])):
        assert (bottom - top, right - left) == (patch[0] << scale, patch[1] << scale)
        inside = np.zeros((1, *shape), dtype=np.int32)
        inside[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 255
        seen = look(inside, (x, y), retina)[0, scale].astype(np.float64)
        assert seen.sum() * 4**scale == (inside > 0).sum()
        assert (look(255 - inside, (x, y), retina)[0, scale] == 0).all()


def test_a_location_to_the_right_is_right_and_one_below_is_down() -> None:
    """x is right and y is down, in the location as in the patch."""
    retina = Retina((6, 6), 1)
    right, below = np.zeros((2, 1, 1, 60, 60), dtype=np.int32)
    right[..., 30, 50] = 255
    below[..., 50, 30] = 255
    for canvas, location in [(right, (2 / 3, 0)), (below, (0, 2 / 3))]:
        assert np.argwhere(look(canvas, location, retina)).tolist() == [[0, 0, 0, 3, 3]]
        for elsewhere in [(0, 0), (-location[0], -location[1]), (location[1], location[0])]:
            assert not look(canvas, elsewhere, retina).any()
    # Looking a little to the left of the pixel leaves it in the right half of the patch.
    assert np.argwhere(look(right, (2 / 3 - 2 / 30, 0), retina)).tolist() == [[0, 0, 0, 3, 5]]
    assert np.argwhere(look(below, (0, 2 / 3 - 2 / 30), retina)).tolist() == [[0, 0, 0, 5, 3]]


def test_white_is_one_inside_and_zero_outside(host_place: str) -> None:
    white = np.full((1, 3, 64, 96), 255, dtype=np.int32)
    assert (look(white, (0, 0), Retina((8, 8), 4), host_place) == 1).all()
    corner = look(white, (-1, -1), Retina((8, 8), 3), host_place)
    assert (corner[..., 4:, 4:] == 1).all()
    assert (corner[..., :4, :] == 0).all()
    assert (corner[..., :4] == 0).all()


def test_a_large_image_does_not_overflow(place: str) -> None:
    """The window of the last scale is the whole image: its one sum is the largest there is."""
    white = np.broadcast_to(np.uint8(255), (1, 1, 2048, 2048)).copy()
    seen = look(white, (0, 0), Retina((1, 1), 12), place)
    assert seen.shape == (1, 12, 1, 1, 1)
    assert (seen == 1).all()
    assert (look(white, (0.9, -0.7), Retina((12, 12), 3), place) == 1).all()


def test_the_largest_image_fits_and_a_larger_one_is_refused(place: str) -> None:
    white: Any = np.full((1, 1, 1, MAX_PIXELS + 1), 255, dtype=np.uint8)
    white = white if place == "numpy" else torch.as_tensor(white, device=place)
    assert int(summed_area_table(white[..., :MAX_PIXELS])[0, 0, 1, -1]) == 255 * MAX_PIXELS
    with pytest.raises(ValueError, match="too large"):
        summed_area_table(white)


sides = st.integers(1, 40)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), sides, sides, st.integers(1, 5), st.integers(1, 5), coordinate, coordinate)
def test_brightness_is_conserved(
    seed: int, height: int, width: int, rows: int, columns: int, x: float, y: float
) -> None:
    """A window that holds the whole image holds all its light, wherever in the image one looks."""
    canvas = random_canvas(seed, (1, 2, height, width))
    seen = look(canvas, (x, y), Retina((rows, columns), 8))[0]
    for scale in range(8):
        if min(rows << scale, columns << scale) >= 2 * max(height, width) + 2:
            light = np.rint(seen[scale].astype(np.float64) * 255 * 4**scale)
            np.testing.assert_array_equal(light.sum(axis=(1, 2)), canvas[0].sum(axis=(1, 2)))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), sides, sides, st.sampled_from([(4, 4), (8, 12), (12, 4)]), coordinate, coordinate)
def test_each_scale_continues_the_one_before(
    seed: int, height: int, width: int, patch: tuple[int, int], x: float, y: float
) -> None:
    """The middle of a scale is the whole of the scale before, at half its resolution."""
    seen = look(random_canvas(seed, (1, 1, height, width)), (x, y), Retina(patch, 4))[0, :, 0].astype(np.float64)
    rows, columns = patch
    for fine, coarse in pairwise(seen):
        halved = fine.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))
        middle = coarse[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4]
        np.testing.assert_allclose(middle, halved, rtol=1e-6)


@pytest.mark.parametrize(
    ("retina", "message"),
    [
        (Retina((0, 8), 1), "at least 1"),
        (Retina((8, -1), 1), "at least 1"),
        (Retina((8, 8), 0), "at least 1"),
        (Retina((8, 8, 8), 1), "height, width"),  # type: ignore[arg-type]
        (Retina((8, 8), 28), "fewer scales"),
    ],
    ids=str,
)
def test_a_retina_that_cannot_see_is_refused(retina: Retina, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        retina.checked()


@pytest.mark.parametrize("retina", [Retina(), Retina((1, 1), 1), Retina((5, 7), 4), Retina((12, 12), 20)], ids=str)
def test_a_retina_that_sees_passes_its_check(retina: Retina) -> None:
    assert retina.checked() is retina
    assert (look(np.full((1, 1, 9, 9), 255, dtype=np.int32), (0, 0), retina)[0, 0, 0] > 0).any()


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 31, 24), (2, 1, 3), (3, 70, 90)], ids=str)
@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
def test_glimpses_without_a_table_are_the_same_bit_for_bit(
    shape: tuple[int, int, int], compiled: bool, host_place: str
) -> None:
    """At corners, edges and anywhere, of windows within the image and beyond it; several rows of one image."""
    random = np.random.default_rng(2)
    images = random.integers(0, 256, (3, *shape), dtype=np.uint8)
    places = np.array([(-1, -1), (1, 1), (1, -1), (0, 0), (-1, 0.5), *random.uniform(-1, 1, (6, 2))], np.float32)
    index = random.integers(0, 3, len(places))
    ops = image_ops(get_backend("numpy")) if compiled else PLAIN
    for patch, scales in [*((patch, 4) for patch in PATCHES), ((5, 7), 1), ((4, 4), 6)]:
        retina = Retina(patch, scales)
        expected = glimpse(summed_area_table(images[index]), places, retina)
        if host_place == "numpy":
            seen = ops.glimpse_of_images(images, index, places, retina)
        else:
            seen = ops.glimpse_of_images(*map(torch.as_tensor, (images, index, places)), retina).numpy()
        assert seen.dtype == np.float32
        np.testing.assert_array_equal(seen, expected)
