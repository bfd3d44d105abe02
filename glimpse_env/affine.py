"""Square pictures turned, scaled, sheared and shifted, in integers, so that NumPy and torch agree bit for bit."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace, device

from glimpse_env.rng import Array, draw_words, uniform

MOVES = 1024
"""How many different moves there are in each of the four orientations."""

BITS = 16
"""Of a fraction, in the fixed-point numbers of a move."""

TURN, STRETCH, SHIFT = np.pi / 18, 0.2, 0.05
"""Largest turn in radians, change of scale and shear, and shift as a share of the side, at strength 1."""


def moves(side: int, strength: float) -> np.ndarray:
    """Where each pixel of a moved picture comes from: row 1024 o + m is move m after a turn by 90 o degrees.

    The numbers of a move are uniform in their ranges, the same in every orientation and everywhere.

    Args:
        side: of the pictures in pixels.
        strength: how far they are moved; 0 leaves the four orientations.

    Returns:
        (4 * MOVES, 2, 3) int64, in units of 2**-BITS: x and y of the origin as functions of (x, y, 1), where x and y
        are counted in half pixels from the centre of the picture.
    """
    words = draw_words(np.zeros(MOVES, np.int64), np.arange(MOVES), 7)
    angle, wide, high, shear, lean, right, down = strength * (2 * uniform(words).astype(np.float64).T - 1)
    cos, sin = np.cos(TURN * angle), np.sin(TURN * angle)
    turn = np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1)
    stretch = np.array([[1 + STRETCH * wide, STRETCH * shear], [STRETCH * lean, 1 + STRETCH * high]]).transpose(2, 0, 1)
    shift = 2 * SHIFT * side * np.stack([right, down], 1)[..., None]
    quarters = [np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), quarter) for quarter in range(4)]
    rows = [np.concatenate([turn @ stretch @ quarter, shift], axis=2) for quarter in quarters]
    return np.rint(np.concatenate(rows) * 2**BITS).astype(np.int64)


def padded(pictures: np.ndarray) -> np.ndarray:
    """Pictures (M, S, S) with a border of zeros, (M, S + 2, S + 2): what lies outside comes from there."""
    return np.pad(pictures, ((0, 0), (1, 1), (1, 1)))


def moved(pictures: Array, index: Array, move: Array) -> Array:
    """Moved pictures, each pixel that of the picture which is nearest to its origin.

    Args:
        pictures: (M, S + 2, S + 2) uint8, as `padded` makes them.
        index: (N,) int64, which pictures.
        move: (N, 2, 3) int64, rows of `moves`.

    Returns:
        (N, S, S) uint8, zero outside the picture.
    """
    xp, size = array_namespace(pictures), pictures.shape[1]
    centre = size - 3  # S - 1: twice the centre of a picture without its border
    place = 2 * xp.arange(size - 2, dtype=xp.int64, device=device(pictures)) - centre
    # to whole pixels, and by one for the border
    offset = move[:, :, 2] + ((centre + 3) << BITS)
    across, down = move[:, :, 0, None] * place, move[:, :, 1, None] * place + offset[:, :, None]
    x, y = ((across[:, axis, None, :] + down[:, axis, :, None]) >> (BITS + 1) for axis in (0, 1))
    limits = xp.zeros_like(x), xp.full_like(x, size - 1)
    x, y = (xp.maximum(xp.minimum(part, limits[1]), limits[0]) for part in (x, y))
    flat = (index[:, None, None] * size + y) * size + x
    return xp.take(xp.reshape(pictures, (-1,)), xp.reshape(flat, (-1,)), axis=0).reshape(flat.shape)
