"""Displays of visual search: one T or L of one colour among others that differ in colour, in shape, or in either.

Psychlab's visual search (Leibo et al. 2018, "Psychlab: a psychology laboratory for deep reinforcement learning agents",
section 4.5), after Treisman & Gelade 1980, "A feature-integration theory of attention".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from glimpse_env.rng import Array, draw_words, integers

KINDS = ("colour", "shape", "conjunction")
"""What tells the target from the distractors: its colour, its shape, or only both together."""

SHAPES = ("T", "L")
COLOURS = {"red": (255, 60, 60), "green": (0, 200, 80)}

FORMS = np.zeros((2, 9, 9), bool)
"""Which pixels of an item belong to a T, and which to an L."""
FORMS[0, :3], FORMS[0, :, 3:6] = True, True
FORMS[1, -3:], FORMS[1, :, :3] = True, True

SIDE, CELL = 9, 12
"""Pixels of an item, and of the cell of a grid in which it lies somewhere."""


class Items(NamedTuple):
    """The items of N displays, K of each, of which the first `count` are there; the first of all may be the target.

    Attributes:
        kind: (N,) int64 in `KINDS`.
        count: (N,) int64.
        present: (N,) bool, whether the target is there.
        query: (N, 2) int64, shape and colour of the target.
        corner: (N, K, 2) int64, x and y of the top left corner in pixels.
        look: (N, K, 2) int64, shape and colour of each.
    """

    kind: Array
    count: Array
    present: Array
    query: Array
    corner: Array
    look: Array


def most_items(size: int) -> int:
    """The items that a canvas of this size has room for."""
    return (size // CELL) ** 2


def draw_items(seeds: Array, episodes: Array, size: int, counts: tuple[int, int], kinds: Array) -> Items:
    """The items of these episodes (N,): a count from the first of `counts` to the second, one of these kinds."""
    xp, n, most = array_namespace(seeds), seeds.shape[0], counts[1]
    cells = most_items(size)
    words = draw_words(seeds, episodes, 5 + cells + 3 * most)
    kind, present = kinds[integers(words[:, 0], kinds.shape[0])], words[:, 1] < 2**31
    query = integers(words[:, 2:4], 2)
    count = counts[0] + integers(words[:, 4], most - counts[0] + 1)
    cell = xp.argsort(words[:, 5 : 5 + cells], axis=1, stable=True)[:, :most]
    rest = xp.reshape(words[:, 5 + cells :], (n, most, 3))
    corner = xp.stack([cell % (size // CELL), cell // (size // CELL)], axis=2) * CELL
    corner = corner + integers(rest[..., :2], CELL - SIDE)  # a pixel of ground is left between two
    # A distractor differs from the target in shape or in colour, and in one of them alone.
    shape = xp.astype(rest[..., 2] < 2**31, xp.int64)
    shape = xp.where((kind == 2)[:, None], shape, xp.astype(kind == 1, xp.int64)[:, None])
    off = xp.stack([shape, 1 - shape], axis=2)
    first = (xp.arange(most, device=device(seeds)) == 0)[None] & present[:, None]
    off = xp.where(first[..., None], xp.zeros_like(off), off)
    return Items(kind, count, present, query, corner, (query[:, None] + off) % 2)


def paint_items(items: Items, size: int) -> Array:
    """(N, 3, size, size) uint8, on black."""
    xp, where = array_namespace(items.count), device(items.count)
    n, most, _ = items.corner.shape
    rows = xp.arange(n, device=where)[:, None]
    step = xp.arange(SIDE, device=where)
    down, across = (xp.reshape(part, (-1,)) for part in xp.meshgrid(step, step, indexing="ij"))
    forms = xp.reshape(xp.asarray(FORMS, device=where), (2, -1))
    colours = xp.asarray(list(COLOURS.values()), dtype=xp.uint8, device=where)
    canvas = xp.zeros((n, 3, size * size), dtype=xp.uint8, device=where)
    for number in range(most):
        x, y = (items.corner[:, number, part, None] for part in (0, 1))
        inside = forms[items.look[:, number, 0]] & (number < items.count)[:, None]
        pixels = (y + down) * size + x + across
        painted = inside[..., None] * colours[items.look[:, number, 1]][:, None]
        canvas[rows, :, pixels] = xp.where(inside[..., None], painted, canvas[rows, :, pixels])
    return xp.reshape(canvas, (n, 3, size, size))
