"""Scenes of coloured squares and circles, and questions about them: Sort-of-CLEVR.

Santoro et al. 2017, "A simple neural network module for relational reasoning", section 4.3: six objects, each of a
colour of its own, square or circle, and questions about one object or about how two of them lie to each other.
"""

from __future__ import annotations

from typing import NamedTuple

from array_api_compat import array_namespace, device

from glimpse_env.rng import Array, draw_words, integers

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "orange": (255, 156, 0),
    "grey": (128, 128, 128),
    "yellow": (255, 255, 0),
}
"""The colours of the objects by name, in their order."""

GROUND = 255
"""Of the canvas."""

QUESTIONS = (
    "what shape is the {} object",
    "is the {} object on the left",
    "is the {} object at the top",
    "what shape is nearest to the {} object",
    "what shape is farthest from the {} object",
    "how many objects have the shape of the {} object",
)
"""The kinds of questions, about the object of a colour."""

RELATIONAL = (3, 4, 5)
"""The kinds about more than one object."""

SHAPES = ("square", "circle")
ANSWERS = ("yes", "no", *SHAPES, "1", "2", "3", "4", "5", "6")
YES, NO, FIRST_SHAPE, FIRST_COUNT = 0, 1, 2, 4

TRIES = 16
"""Places that are tried for each object: the first that overlaps no other."""

SCENE_STREAM, QUESTION_STREAM = 0, 1


class Objects(NamedTuple):
    """The objects of N scenes, K of each, in the order of `COLOURS`.

    Attributes:
        middle: (N, K, 2) int64, x and y in pixels.
        shape: (N, K) int64, 0 for a square and 1 for a circle.
    """

    middle: Array
    shape: Array


def place_objects(seeds: Array, episodes: Array, count: int, size: int, radius: int) -> Objects:
    """The objects of these episodes (N,): middles are at least two radii apart, and one from the edge.

    Where none of `TRIES` places is free, that which is farthest from the others is taken: with six objects of radius 5
    on 75 pixels, once in some millions of scenes.
    """
    xp, n = array_namespace(seeds), seeds.shape[0]
    words = draw_words(seeds, episodes, count * (1 + 2 * TRIES), SCENE_STREAM)
    shape = integers(words[:, :count], len(SHAPES))
    tried = integers(words[:, count:], size - 2 * radius) + radius
    tried = xp.reshape(tried, (n, count, TRIES, 2))
    rows, middle = xp.arange(n, device=device(seeds)), tried[:, :1, 0]
    for number in range(1, count):
        off = tried[:, number][:, :, None] - middle[:, None]
        distance = xp.min(xp.sum(off * off, axis=-1), axis=2)
        free = xp.astype(distance >= 4 * radius**2, xp.int64)
        # A free place counts more than any distance, and an earlier one more than a later.
        rank = free * (2 * size**2 + TRIES - xp.arange(TRIES, device=device(seeds))) + (1 - free) * distance
        chosen = tried[rows, number, xp.argmax(rank, axis=1)]
        middle = xp.concat([middle, chosen[:, None]], axis=1)
    return Objects(middle, shape)


def paint_objects(objects: Objects, size: int, radius: int) -> Array:
    """(N, 3, size, size) uint8: where two objects touch, the later covers the earlier."""
    xp, where = array_namespace(objects.shape), device(objects.shape)
    rows = xp.arange(objects.shape.shape[0], device=where)[:, None]
    step = xp.arange(-radius, radius + 1, device=where)
    down, across = (xp.reshape(part, (-1,)) for part in xp.meshgrid(step, step, indexing="ij"))
    square = xp.ones_like(down, dtype=xp.bool)
    forms = xp.stack([square, down * down + across * across <= radius**2])
    colours = xp.asarray(list(COLOURS.values()), dtype=xp.uint8, device=where)
    canvas = xp.full((len(rows), 3, size * size), GROUND, dtype=xp.uint8, device=where)
    for number in range(objects.shape.shape[1]):
        x, y = (objects.middle[:, number, part, None] for part in (0, 1))
        pixels = (y + down) * size + x + across
        inside = forms[objects.shape[:, number]][..., None]
        canvas[rows, :, pixels] = xp.where(inside, colours[number], canvas[rows, :, pixels])
    return xp.reshape(canvas, (len(rows), 3, size, size))


def draw_questions(seeds: Array, episodes: Array, count: int, objects: int) -> tuple[Array, Array]:
    """The kinds and colours of the questions of these episodes (N,), (N, count) int64 each; every kind as often."""
    words = draw_words(seeds, episodes, 2 * count, QUESTION_STREAM)
    return integers(words[:, 0::2], len(QUESTIONS)), integers(words[:, 1::2], objects)


def answers(objects: Objects, kind: Array, colour: Array, size: int) -> Array:
    """(N, Q) int64 in `ANSWERS`, of questions of these kinds about these colours, (N, Q) int64 each."""
    xp = array_namespace(kind)
    shape, middle = objects.shape, objects.middle
    rows = xp.arange(shape.shape[0], device=device(kind))[:, None]
    asked, place = shape[rows, colour], middle[rows, colour]
    off = middle[:, None] - place[:, :, None]
    distance = xp.sum(off * off, axis=-1)  # (N, Q, K)
    far = xp.max(distance, axis=-1, keepdims=True) + 1
    own = xp.arange(shape.shape[1], device=device(kind)) == colour[..., None]
    nearest = xp.argmin(xp.where(own, far, distance), axis=-1)
    farthest = xp.argmax(distance, axis=-1)
    alike = xp.sum(xp.astype(shape[:, None] == asked[..., None], xp.int64), axis=-1)
    left, top = (xp.where(2 * place[..., part] < size, YES, NO) for part in (0, 1))
    by_kind = [FIRST_SHAPE + asked, left, top]
    by_kind += [FIRST_SHAPE + shape[rows, nearest], FIRST_SHAPE + shape[rows, farthest], FIRST_COUNT + alike - 1]
    result = by_kind[0]
    for number, answer in enumerate(by_kind[1:], 1):
        result = xp.where(kind == number, answer, result)
    return result
