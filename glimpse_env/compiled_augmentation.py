"""Augmentation, compiled by Numba for arrays on the host: the numbers of `glimpse_env.augmentation`, bit for bit.

What is drawn, and between which pixels each pixel lies, the plain functions say: few numbers a canvas. Here is what is
done for every pixel, a line after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from glimpse_env.augmentation import GAIN, NOISE_STREAM, Changes, sources
from glimpse_env.augmentation_strength import Augmentation
from glimpse_env.compiled_arrays import array_of, like
from glimpse_env.compiler import loop, part
from glimpse_env.rng import MULTIPLIERS, WEYL, Array

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
M0, M1 = map(np.uint64, MULTIPLIERS)
W0, W1 = map(np.uint64, WEYL)
STREAM = np.uint64(NOISE_STREAM)


@part
def _fill(noise: Any, seed: int, episode: int) -> None:
    """The bytes of an episode's random words, lowest first: `glimpse_env.rng.philox`, a block of 16 after the other."""
    seed_low, seed_high = np.uint64(seed) & LOW, np.uint64(seed) >> HALF
    episode_low, episode_high = np.uint64(episode) & LOW, np.uint64(episode) >> HALF
    for block in range(len(noise) // 16):
        c0, c1, c2, c3 = np.uint64(block), episode_low, episode_high, STREAM
        k0, k1 = seed_low, seed_high
        for _ in range(10):
            p0, p1 = c0 * M0, c2 * M1
            c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & LOW, (p0 >> HALF) ^ c3 ^ k1, p0 & LOW
            k0, k1 = (k0 + W0) & LOW, (k1 + W1) & LOW
        words = (c0, c1, c2, c3)
        for number in range(4):
            for byte in range(4):
                noise[16 * block + 4 * number + byte] = np.uint8(words[number] >> np.uint64(8 * byte))


@part
def _mixed(above: Any, below: Any, share: int, places: Any, shares: Any, line: Any, out: Any) -> None:
    """A line of pixels between two of the canvas, and in it between pixels; `line` is black at both of its ends."""
    upper, lower = np.int32(256 - share), np.int32(share)
    for x in range(len(above)):
        line[x + 2] = np.int32(above[x]) * upper + np.int32(below[x]) * lower
    for x in range(len(out)):
        right = np.int32(shares[x])
        left, place = np.int32(256) - right, places[x] + 2
        out[x] = (line[place] * left + line[place + 1] * right + np.int32(1 << 15)) >> 16


@loop(
    types.void(
        *(array_of(types.uint8, 4), types.boolean, types.UniTuple(array_of(types.int64, 2), 4)),
        types.Tuple([array_of(types.int64, dimensions) for dimensions in (1, 1, 2, 1, 2, 2, 1, 1, 1)]),
        array_of(types.uint8, 4, readonly=False),
    )
)
def _augment(canvas: Any, moves: bool, places: Any, changes: Any, out: Any) -> None:
    _, _, _, contrast, gain, cutout, height_of_noise, seeds, episodes = changes
    across, across_share, down, down_share = places
    count, channels, height, width = canvas.shape
    black, line = np.zeros(width, np.uint8), np.zeros(width + 4, np.int32)
    value, shift = np.empty(256, np.uint8), np.empty(256, np.int32)
    noise = np.empty((channels * height * width + 15) // 16 * 16, np.uint8)
    for n in range(count):
        total = np.int64(0)
        for pixel in canvas[n].flat:
            total += pixel
        mean = total // canvas[n].size
        left, top, right, bottom = cutout[n]
        loud = height_of_noise[n] > 0
        if loud:
            _fill(noise, seeds[n], episodes[n])
            for byte in range(256):
                shift[byte] = ((2 * byte - 255) * height_of_noise[n] + 128) >> 8
        for channel in range(channels):
            slope = (gain[n, channel] * contrast[n]) >> GAIN
            offset = (mean * ((1 << GAIN) - contrast[n]) * gain[n, channel]) >> GAIN
            for old in range(256):
                value[old] = min(max((old * slope + offset + (1 << (GAIN - 1))) >> GAIN, 0), 255)
            pixels = canvas[n, channel]
            for y in range(height):
                row = out[n, channel, y]
                if moves:
                    first = down[n, y]
                    above = pixels[first] if 0 <= first < height else black
                    below = pixels[first + 1] if 0 <= first + 1 < height else black
                    _mixed(above, below, down_share[n, y], across[n], across_share[n], line, row)
                else:
                    row[:] = pixels[y]
                if top <= y < bottom:
                    row[left:right] = mean
                for x in range(width):
                    row[x] = value[row[x]]
                if loud:
                    own = noise[(channel * height + y) * width :]
                    for x in range(width):
                        row[x] = min(max(np.int32(row[x]) + shift[own[x]], 0), 255)


def augment(canvas: Array, changes: Changes, strength: Augmentation) -> Array:
    """As `glimpse_env.augmentation.augment`, for NumPy arrays or tensors on the CPU."""
    pixels = np.ascontiguousarray(canvas)
    drawn = Changes(*map(np.ascontiguousarray, changes))
    places = (*sources(drawn, 0, pixels.shape[3]), *sources(drawn, 1, pixels.shape[2]))
    out = np.empty_like(pixels)
    _augment(pixels, strength.moves, tuple(map(np.ascontiguousarray, places)), tuple(drawn), out)
    return like(canvas, out)
