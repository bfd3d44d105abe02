"""Augmentation: canvases changed at random, so that few images teach more. For training alone.

Every change is drawn from (seed, episode), as the scene is, and is made in integers (fixed point), so that NumPy and
torch agree bit for bit. (Arrays of both have a method `clip`; the function of that name may wait for a GPU.)

All of a canvas changes alike: first its geometry (scaled about its middle, shifted, flipped; bilinear, and black
outside), then its values. Where the image to be recognised would be pushed off the canvas, it is shifted less: at least
three quarters of its width, and of its height, stay.
"""

from __future__ import annotations

from typing import NamedTuple

from array_api_compat import array_namespace, device

from glimpse_env.augmentation_strength import Augmentation
from glimpse_env.rng import Array, draw_words, integers

CHANGE_STREAM = 4
"""The random stream of the changes of a canvas."""

NOISE_STREAM = 5
"""The random stream of its noise: a byte a pixel."""

PLACE = 16
"""Binary digits of the fraction of a place or a scale."""

GAIN = 12
"""Binary digits of the fraction of a gain."""

PIXELS = 2**24
"""Pixels that the plain form changes at a time: it needs some 30 bytes for each."""


class Changes(NamedTuple):
    """What is drawn for each of N canvases of C channels. All int64.

    Attributes:
        step: (N,) source pixels to a pixel, of `PLACE` binary digits.
        flip: (N,) 0 or 1.
        shift: (N, 2) pixels to the right and down, before it is flipped.
        contrast: (N,) of `GAIN` binary digits.
        gain: (N, C) brightness and colour, likewise.
        cutout: (N, 4) left, top, right and bottom of the rectangle in pixels; empty where there is none.
        noise: (N,) its height, in values of 255.
        seeds, episodes: (N,) of which the noise is a function.
    """

    step: Array
    flip: Array
    shift: Array
    contrast: Array
    gain: Array
    cutout: Array
    noise: Array
    seeds: Array
    episodes: Array


def draw_changes(
    seeds: Array, episodes: Array, strength: Augmentation, canvas: tuple[int, int, int], boxes: Array
) -> Changes:
    """What is drawn for the canvases (C, H, W) of these episodes.

    Each change has words of its own: whether another is made does not alter it.

    Args:
        seeds, episodes: (N,) int64.
        strength: of each change.
        canvas: the shape of one.
        boxes: (N, 4) int64 left, top, right, bottom in pixels of the images to be recognised.
    """
    channels, height, width = canvas
    xp, where = array_namespace(seeds), device(seeds)
    words = draw_words(seeds, episodes, 14, CHANGE_STREAM)

    def integer(*values: int) -> Array:
        return xp.asarray(values, dtype=xp.int64, device=where)

    def around(words: Array, most: Array) -> Array:
        """From -most to most."""
        return integers(words, 2 * most + 1) - most

    def factor(words: Array, most: float) -> Array:
        return (1 << GAIN) + around(words, round(most * (1 << GAIN)))

    shortest, longest = (round((1 << PLACE) * (1 + strength.scale / 4) ** power) for power in (-1, 1))
    colour = factor(words[:, 6 : 6 + channels], 0.2 * strength.colour * (channels > 1))
    size = integers(words[:, 10:12], integer(*(int(strength.cutout * side / 4) + 1 for side in (width, height))))
    corner = integers(words[:, 12:14], integer(width, height) - size + 1)
    changes = Changes(
        step=shortest + integers(words[:, 2], longest - shortest + 1),
        flip=xp.astype(integers(words[:, 3], 1 << PLACE) < round(strength.flip * (1 << PLACE) / 2), xp.int64),
        shift=around(words[:, :2], integer(*(int(strength.shift * side / 8) for side in (width, height)))),
        contrast=factor(words[:, 5], 0.4 * strength.contrast),
        gain=(factor(words[:, 4], 0.4 * strength.brightness)[:, None] * colour) >> GAIN,
        cutout=xp.concat([corner, corner + size], axis=1),
        noise=integers(words[:, 9], round(32 * strength.noise) + 1),
        seeds=seeds,
        episodes=episodes,
    )
    if not strength.moves:
        return changes
    still = changes._replace(flip=xp.zeros_like(changes.flip), shift=xp.zeros_like(changes.shift))
    boxes = augment_boxes(boxes, still, (height, width))
    outside = (boxes[:, 2:] - boxes[:, :2]) // 4
    least, most = -outside - boxes[:, :2], integer(width, height) + outside - boxes[:, 2:]
    return changes._replace(shift=xp.maximum(xp.minimum(changes.shift, most), least))


def augment(canvas: Array, changes: Changes, strength: Augmentation) -> Array:
    """Changed canvases.

    Args:
        canvas: (N, C, H, W) uint8.
        changes: what was drawn for them.
        strength: with which it was drawn. What has none is not computed, which changes no number.

    Returns:
        (N, C, H, W) uint8.
    """
    xp, n = array_namespace(canvas), canvas.shape[0]
    rows = max(1, PIXELS // max(1, canvas[:1].reshape(-1).shape[0]))
    if n <= rows:
        return _augment(canvas, changes, strength)
    chunks = [slice(first, first + rows) for first in range(0, n, rows)]
    return xp.concat([_augment(canvas[one], Changes(*(part[one] for part in changes)), strength) for one in chunks])


def _augment(canvas: Array, changes: Changes, strength: Augmentation) -> Array:
    xp = array_namespace(canvas)
    _, channels, height, width = canvas.shape
    mean = xp.sum(canvas, axis=(1, 2, 3), dtype=xp.int64) // (channels * height * width)
    values = xp.astype(canvas, xp.int32)
    if strength.moves:
        values = xp.permute_dims(_resampled(values, *sources(changes, 1, height)), (0, 1, 3, 2))
        values = xp.permute_dims(_resampled(values, *sources(changes, 0, width)), (0, 1, 3, 2))
        values = (values + (1 << 15)) >> 16
    if strength.cutout:
        left, top, right, bottom = (changes.cutout[:, side, None] for side in range(4))
        y, x = (xp.arange(side, dtype=xp.int64, device=device(canvas))[None, :] for side in (height, width))
        inside = ((y >= top) & (y < bottom))[:, None, :, None] & ((x >= left) & (x < right))[:, None, None, :]
        values = xp.where(inside, xp.astype(mean, xp.int32)[:, None, None, None], values)
    if max(strength.brightness, strength.contrast, strength.colour):
        gain = (changes.gain * changes.contrast[:, None]) >> GAIN
        offset = (mean * ((1 << GAIN) - changes.contrast))[:, None] * changes.gain >> GAIN
        gain, offset = (xp.astype(part, xp.int32)[:, :, None, None] for part in (gain, offset))
        values = ((values * gain + offset + (1 << (GAIN - 1))) >> GAIN).clip(0, 255)
    if strength.noise:
        noise = ((2 * _bytes(changes, (channels, height, width)) - 255) * changes.noise[:, None, None, None] + 128) >> 8
        values = (values + xp.astype(noise, xp.int32)).clip(0, 255)
    return xp.astype(values, xp.uint8)


def sources(changes: Changes, axis: int, size: int) -> tuple[Array, Array]:
    """Between which pixels of the canvas each pixel of the changed one lies, across (axis 0) or down (1).

    Returns:
        (N, size) int64, the number of the first of the two, from -2 to size (from where both are outside); and
        (N, size) int64, the distance from it, in [0, 256).
    """
    xp = array_namespace(changes.step)
    number = xp.arange(size, dtype=xp.int64, device=device(changes.step))[None, :]
    if axis == 0:
        number = number + changes.flip[:, None] * (size - 1 - 2 * number)
    # In half pixels, from the middle of the canvas.
    place = (2 * (number - changes.shift[:, axis, None]) + 1 - size) * changes.step[:, None]
    place = (place + ((size - 1) << PLACE)) >> 1
    return (place >> PLACE).clip(-2, size), (place >> (PLACE - 8)) & 255


def _resampled(planes: Array, first: Array, share: Array) -> Array:
    """Lines of planes (N, C, S, K) int32 mixed, as `sources` says, and 256 times as bright; black outside."""
    xp, where = array_namespace(planes), device(planes)
    n, channels, size, length = planes.shape
    padded = xp.zeros((n, channels, size + 4, length), dtype=xp.int32, device=where)  # black: two before and behind
    padded[:, :, 2 : size + 2] = planes
    lines = xp.reshape(padded, (-1, length))
    plane = xp.arange(0, n * channels * (size + 4), size + 4, dtype=xp.int64, device=where)
    index = xp.reshape(plane, (n, channels, 1)) + 2 + first[:, None, :]
    low, high = (
        xp.reshape(xp.take(lines, xp.reshape(number, (-1,)), axis=0), planes.shape) for number in (index, index + 1)
    )
    share = xp.astype(share, xp.int32)[:, None, :, None]
    return low * (256 - share) + high * share


def _bytes(changes: Changes, canvas: tuple[int, int, int]) -> Array:
    """(N, C, H, W) int64 in [0, 256), uniform: the bytes of random words, the lowest of each first."""
    xp, count = array_namespace(changes.seeds), canvas[0] * canvas[1] * canvas[2]
    words = draw_words(changes.seeds, changes.episodes, -(-count // 4), NOISE_STREAM)
    parts = xp.stack([(words >> shift) & 255 for shift in (0, 8, 16, 24)], axis=-1)
    return xp.reshape(xp.reshape(parts, (words.shape[0], 4 * words.shape[1]))[:, :count], (words.shape[0], *canvas))


def augment_boxes(boxes: Array, changes: Changes, size: tuple[int, int]) -> Array:
    """Where the changed canvas shows what is in these boxes.

    Args:
        boxes: (N, 4) int64 left, top, right, bottom in pixels.
        changes: as there.
        size: (height, width) of the canvas.

    Returns:
        (N, 4) int64, the least boxes that hold every pixel in which something of them is mixed; they may stick out.
    """
    xp = array_namespace(boxes)
    edges = []
    for axis, length in enumerate(reversed(size)):
        middle = length + 2 * changes.shift[:, axis]
        # The pixels whose places lie above first - 1 and below last: `sources`, solved for the number.
        low = ((2 * boxes[:, axis] - 1 - length) << PLACE) // changes.step
        high = -((-((2 * boxes[:, 2 + axis] + 1 - length) << PLACE)) // changes.step)
        low, high = (low + middle + 1) >> 1, (high + middle) >> 1
        if axis == 0:
            mirrored = changes.flip > 0
            low, high = xp.where(mirrored, length - high, low), xp.where(mirrored, length - low, high)
        edges.append((low, high))
    (left, right), (top, bottom) = edges
    return xp.stack([left, top, right, bottom], axis=1)
