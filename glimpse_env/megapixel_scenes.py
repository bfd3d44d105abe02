"""Megapixel MNIST: five digits on a canvas of millions of pixels, among strokes.

Two published forms. Katharopoulos & Fleuret 2019, "Processing Megapixel Images with Deep Attention-Sampling Models",
section 4.2: three digits of one class and two of others, strokes written over them. Bergner et al. 2023, "Iterative
Patch Selection for High-Resolution Image Recognition", section 4.3: strokes first and the digits on top, and four
questions about them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glimpse_env.backend import Backend
from glimpse_env.rng import Array, draw_words, integers

DIGITS, SAME = 5, 3
"""Digits of a scene, and how many of them are of one class."""

PATTERNS, PATTERN = 50, 28
"""Patterns of strokes, and their height and width in pixels."""

QUESTIONS = ("majority", "max", "top", "multi")
"""What is asked: the class of three of the digits, the largest digit, the topmost, or all that are there."""

SINGLE = QUESTIONS[:3]
"""The questions whose answer is one class."""

TRIES = 8
"""Places that are tried for each digit: the first that overlaps no other, or else the first."""

SCENE_STREAM, STROKE_STREAM = 0, 3


class Scene(NamedTuple):
    """What is on N canvases.

    Attributes:
        label: (N, DIGITS) int64, the classes of the digits.
        index: (N, DIGITS) int64, the images that they are.
        corner: (N, DIGITS, 2) int64, x and y of their top left corners.
        pattern: (N, strokes) int64.
        place: (N, strokes, 2) int64, x and y of their top left corners.
    """

    label: Array
    index: Array
    corner: Array
    pattern: Array
    place: Array


class ByClass(NamedTuple):
    """M images of K classes.

    Attributes:
        labels: (M,) int64.
        order: (M,) int64, the images in the order of their classes.
        counts: (K,) int64, how many there are of each class.
        present: (P,) int64, the classes of which there are any.
        starts: (K,) int64, where they begin in `order`.
    """

    labels: Array
    order: Array
    counts: Array
    starts: Array
    present: Array

    @staticmethod
    def of(labels: np.ndarray, classes: int, backend: Backend) -> ByClass:
        """Images of these labels (M,).

        Raises:
            ValueError: where they are of one class.
        """
        counts = np.bincount(labels, minlength=classes)
        order = np.argsort(labels, kind="stable")
        present = np.flatnonzero(counts)
        if len(present) < 2:
            raise ValueError("the digits of a scene are of several classes, and the images are all of one")
        return ByClass(*map(backend.asarray, (labels, order, counts, np.cumsum(counts) - counts, present)))


def stroke_patterns() -> np.ndarray:
    """(PATTERNS, PATTERN, PATTERN) uint8, two lines each through a corner at an angle of at most 72°, each mirrored in
    a third of the cases, and upside down in a third. What the papers leave open: a line is two pixels wide."""
    rng = np.random.default_rng(0)
    patterns = np.zeros((PATTERNS, PATTERN, PATTERN), np.uint8)
    y, x = np.mgrid[:PATTERN, :PATTERN]
    for pattern in patterns:
        for _ in range(2):
            angle = rng.uniform(0, np.pi / 2.5)
            line = np.abs(y * np.cos(angle) - x * np.sin(angle)) <= 1
            line = line[:, ::-1] if rng.random() < 0.33 else line
            line = line[::-1] if rng.random() < 0.33 else line
            pattern[line] = round(255 * rng.uniform(0.8, 1))
    return patterns


def draw_scene(
    seeds: Array,
    episodes: Array,
    images: ByClass,
    size: int,
    side: int,
    strokes: int,
    backend: Backend,
    first: Array | None = None,
) -> Scene:
    """The scenes of these episodes (N,).

    Args:
        seeds, episodes: (N,) int64.
        images: of the split.
        size: height and width of the canvas.
        side: height and width of a digit.
        strokes: how many.
        backend: of the arrays.
        first: (N,) int64, the image that the first digit is; None for any.
    """
    xp, classes = backend.xp, images.present.shape[0]
    words = draw_words(seeds, episodes, 1 + 2 * (DIGITS - SAME) + DIGITS * (1 + 2 * TRIES), SCENE_STREAM)
    same = integers(words[:, 0], classes)
    if first is not None:
        same = xp.argmax(xp.astype(images.present == images.labels[first][:, None], xp.int64), axis=1)
    labels = [same] * SAME
    for other in range(DIGITS - SAME):  # of any other class
        drawn = integers(words[:, 1 + other], classes - 1)
        labels.append(drawn + xp.astype(drawn >= same, xp.int64))
    label = images.present[xp.stack(labels, axis=1)]
    rest = words[:, 1 + 2 * (DIGITS - SAME) :]
    index = images.order[images.starts[label] + integers(rest[:, :DIGITS], images.counts[label])]
    if first is not None:
        index[:, 0] = first
    tried = integers(xp.reshape(rest[:, DIGITS:], (-1, DIGITS, TRIES, 2)), size - side + 1)
    rows, corner = backend.rows(seeds.shape[0]), tried[:, :1, 0]
    for number in range(1, DIGITS):
        off = tried[:, number][:, :, None] - corner[:, None]
        free = xp.all(xp.any((off >= side) | (off <= -side), axis=3), axis=2)
        chosen = xp.argmax(xp.astype(free, xp.int64), axis=1)
        corner = xp.concat([corner, tried[rows, number, chosen][:, None]], axis=1)
    words = xp.reshape(draw_words(seeds, episodes, 3 * strokes, STROKE_STREAM), (seeds.shape[0], strokes, 3))
    place = integers(words[..., 1:], size - 2 * PATTERN + 1) + PATTERN // 2
    return Scene(label, index, corner, integers(words[..., 0], PATTERNS), place)


def paint_scene(
    scene: Scene, images: Array, patterns: Array, size: int, digits_on_top: bool, backend: Backend
) -> Array:
    """The canvases (N, 1, size, size) uint8 of scenes, of images (M, side, side) and patterns, uint8 both."""
    n, side = scene.index.shape[0], images.shape[-1]
    canvas = backend.xp.zeros((n, 1, size, size), dtype=backend.xp.uint8, device=backend.device)
    rows = backend.rows(n)[:, None, None]

    def write(stamps: Array, chosen: Array, corners: Array, width: int) -> None:
        step = backend.rows(width)
        for number in range(chosen.shape[1]):
            y, x = corners[:, number, 1, None, None] + step[:, None], corners[:, number, 0, None, None] + step
            stamp = stamps[chosen[:, number]]
            canvas[rows, 0, y, x] = backend.xp.where(stamp > 0, stamp, canvas[rows, 0, y, x])

    def strokes() -> None:
        write(patterns, scene.pattern, scene.place, PATTERN)

    if digits_on_top:
        strokes()
    write(images, scene.index, scene.corner, side)
    if not digits_on_top:
        strokes()
    return canvas


def answers(scene: Scene, question: str, classes: int, backend: Backend) -> Array:
    """The right answers to a question: (N,) int64 a class, or of "multi" (N, classes) int64, 1 for each class there; of
    "all" both, (N, 3 + classes) int64 in the order of `QUESTIONS`."""
    xp, label = backend.xp, scene.label
    if question == "all":
        each = [answers(scene, name, classes, backend) for name in QUESTIONS]
        return xp.concat([xp.stack(each[:-1], axis=1), each[-1]], axis=1)
    if question == "majority":
        return backend.copy(label[:, 0])
    if question == "max":
        return xp.max(label, axis=1)
    if question == "top":
        return label[backend.rows(label.shape[0]), xp.argmin(scene.corner[:, :, 1], axis=1)]
    return xp.astype(xp.any(label[:, :, None] == backend.rows(classes), axis=1), xp.int64)
