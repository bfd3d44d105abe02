"""Rows of digits of many sizes, side by side on one canvas, among distractors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glimpse_env.backend import Backend
from glimpse_env.rng import Array, draw_words, integers

CLUTTER_STREAM = 3
"""The random stream of distractors; 0 makes the digits."""


class Row(NamedTuple):
    """What is on N canvases: up to K digits each, from left to right.

    Attributes:
        count: (N,) int64, digits.
        index: (N, K) int64, the images they are.
        side: (N, K) int64, their height and width in pixels; 0 from `count` on.
        corner: (N, K, 2) int64, x and y of their top left corners.
    """

    count: Array
    index: Array
    side: Array
    corner: Array


class Clutter(NamedTuple):
    """The distractors of N canvases, P each: square crops of images.

    Attributes:
        side: of each.
        index: (N, P) int64, the images that they are cut from.
        source: (N, P, 2) int64, x and y in these of their top left corners.
        target: (N, P, 2) int64, x and y of these on the canvas.
    """

    side: int
    index: Array
    source: Array
    target: Array


def draw_clutter(
    seeds: Array,
    episodes: Array,
    images: tuple[int, ...],
    count: int,
    side: int,
    size: tuple[int, int],
    backend: Backend,
) -> Clutter:
    """The distractors of these episodes (N,), uniform as in `scenes.plan`.

    Args:
        seeds, episodes: (N,) int64.
        images: the shape of the images, (M, 1, h, w).
        count: P.
        side: of each.
        size: (height, width) of the canvas.
        backend: of the arrays.
    """
    words = draw_words(seeds, episodes, 5 * count, CLUTTER_STREAM)
    words = backend.xp.reshape(words, (seeds.shape[0], count, 5))
    room = backend.asarray(
        [images[3] - side + 1, images[2] - side + 1, size[1] - side + 1, size[0] - side + 1], "int64"
    )
    places = integers(words[..., 1:], room)
    return Clutter(side, integers(words[..., 0], images[0]), places[..., :2], places[..., 2:])


def paint_clutter(clutter: Clutter, images: Array, size: tuple[int, int], backend: Backend) -> Array:
    """The canvases (N, 1, H, W) uint8 of distractors alone, added on black and clamped."""
    n, count = clutter.index.shape
    canvas = backend.xp.zeros((n, 1, *size), dtype=backend.xp.uint8, device=backend.device)
    rows, step = backend.rows(n)[:, None, None], backend.rows(clutter.side)
    for number in range(count):
        (left, top), (x, y) = (
            (place[:, number, 0, None, None] + step, place[:, number, 1, None, None] + step[:, None])
            for place in (clutter.source, clutter.target)
        )
        new, old = images[clutter.index[:, number, None, None], 0, top, left], canvas[rows, 0, y, x]
        canvas[rows, 0, y, x] = old + backend.xp.minimum(new, 255 - old)
    return canvas


def draw_row(
    seeds: Array,
    episodes: Array,
    images: int,
    counts: tuple[int, int],
    sides: tuple[int, int],
    size: tuple[int, int],
    backend: Backend,
) -> Row:
    """The digits of these episodes (N,).

    Args:
        seeds, episodes: (N,) int64.
        images: how many there are.
        counts: the least and the most digits.
        sides: the least and the largest of a digit. Of n digits none is wider than the n-th part of the canvas.
        size: (height, width) of the canvas.
        backend: of the arrays.
    """
    xp, (height, width), most = backend.xp, size, counts[1]
    words = draw_words(seeds, episodes, 1 + 4 * most)
    count = counts[0] + integers(words[:, 0], most - counts[0] + 1)
    each = xp.reshape(words[:, 1:], (seeds.shape[0], 4, most))
    there = backend.rows(most)[None] < count[:, None]
    largest = backend.clip(width // count, 0, sides[1])[:, None]
    side = sides[0] + integers(each[:, 0], largest - sides[0] + 1)
    side = xp.where(there, side, xp.zeros_like(side))
    free = width - xp.sum(side, axis=1)
    gap = xp.where(there, integers(each[:, 1], free[:, None] + 1), xp.full_like(side, width))
    left = xp.sort(gap, axis=1) + xp.cumsum(side, axis=1) - side
    top = integers(each[:, 2], height - side + 1)
    zero = xp.zeros_like(side)
    corner = xp.stack([xp.where(there, left, zero), xp.where(there, top, zero)], axis=2)
    return Row(count, integers(each[:, 3], images), side, corner)


def shrinking(side: int, largest: int) -> np.ndarray:
    """(largest + 1, side, side) float64, whole numbers: row i of matrix s weighs the pixels of a line of `side` of
    which pixel i of one of s is the mean, times `side`; zero from row s on."""
    weights = np.zeros((largest + 1, side, side))
    for size in range(1, largest + 1):
        edges = np.arange(side) * size  # of the pixels of the long line, in parts of which each short one has `side`
        for pixel in range(size):
            low, high = np.maximum(edges, pixel * side), np.minimum(edges + size, (pixel + 1) * side)
            weights[size, pixel] = np.maximum(high - low, 0)
    return weights


def paint_row(row: Row, images: Array, weights: Array, below: Array, backend: Backend) -> Array:
    """The canvases (N, 1, H, W) uint8: digits added to what lies below them, and clamped.

    A shrunk pixel is the mean of what it covers, rounded: whole numbers in float64, and so exact on every backend.

    Args:
        row: what is painted.
        images: (M, 1, side, side) uint8.
        weights: of `shrinking`.
        below: (N, 1, H, W) uint8.
        backend: of the arrays.
    """
    xp, side = backend.xp, images.shape[-1]
    n, _, height, width = below.shape
    rows, step = backend.rows(n)[:, None, None], backend.rows(side)
    # A margin, so that the empty rest of a shrunk digit lies somewhere.
    canvas = xp.zeros((n, height + side, width + side), dtype=xp.int64, device=backend.device)
    canvas[:, :height, :width] = xp.astype(below[:, 0], xp.int64)
    for number in range(row.index.shape[1]):
        weigh = weights[row.side[:, number]]
        digit = xp.astype(images[row.index[:, number], 0], xp.float64)
        summed = xp.astype(weigh @ digit @ xp.permute_dims(weigh, (0, 2, 1)), xp.int64)
        shrunk = (2 * summed + side**2) // (2 * side**2)
        y = row.corner[:, number, 1, None, None] + step[:, None]
        x = row.corner[:, number, 0, None, None] + step
        canvas[rows, y, x] = backend.clip(canvas[rows, y, x] + shrunk, 0, 255)
    return xp.astype(canvas[:, None, :height, :width], xp.uint8)
