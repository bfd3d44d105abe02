"""Random numbers as a pure function of (seed, episode number).

Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3),
vectorised over the batch. A counter-based generator has no state to carry: the same (seed, episode) gives the
same episode in a single environment, in a vector of four thousand, and on a GPU.

Words are held in int64 arrays with values in [0, 2**32), because torch has few operations for unsigned types.
The functions take NumPy arrays or torch tensors alike and return the same kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

Array = Any
"""A NumPy array or a torch tensor."""

MASK32 = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)


def _multiply(multiplier: int, word: Array) -> tuple[Array, Array]:
    """High and low halves of the 64-bit product. int64 wraps around, and the mask takes its bits as they are."""
    product = word * multiplier
    return (product >> 32) & MASK32, product & MASK32


def philox(counter: tuple[Array, Array, Array, Array], key: tuple[Array, Array], rounds: int = 10) -> tuple[Array, ...]:
    """Philox4x32: four random words for a counter of four words and a key of two.

    Args:
        counter: four int64 arrays with values in [0, 2**32), of shapes that broadcast together.
        key: two such arrays.
        rounds: number of rounds; 10 is the published generator.

    Returns:
        Four int64 arrays of the broadcast shape, uniform in [0, 2**32).
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        high0, low0 = _multiply(MULTIPLIERS[0], c0)
        high1, low1 = _multiply(MULTIPLIERS[1], c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + WEYL[0]) & MASK32, (k1 + WEYL[1]) & MASK32
    return c0, c1, c2, c3


def draw_words(seeds: Array, episodes: Array, count: int, stream: int = 0) -> Array:
    """The first `count` random words of each episode.

    Args:
        seeds: (N,) int64, the seed of each row; any value from 0 to 2**63 - 1.
        episodes: (N,) int64, the episode number of each row.
        count: how many words a row needs.
        stream: an independent sequence for the same episode, in [0, 2**32).

    Returns:
        (N, count) int64 with values in [0, 2**32). The first words do not depend on `count`.
    """
    xp = array_namespace(seeds)
    if len(seeds) == 1 and count <= 64 and isinstance(seeds, np.ndarray):  # Python's integers are faster than arrays
        seed, episode = int(seeds[0]), int(episodes[0])
        key = (seed & MASK32, seed >> 32)
        blocks_of_one = [
            philox((block, episode & MASK32, episode >> 32, stream), key) for block in range(-(-count // 4))
        ]
        return np.asarray(blocks_of_one, dtype=np.int64).reshape(1, -1)[:, :count]
    blocks = xp.arange(-(-count // 4), dtype=xp.int64, device=device(seeds))[None, :]
    seeds, episodes = seeds[:, None], episodes[:, None]
    zero = xp.zeros_like(seeds + blocks)
    counter = (zero + blocks, zero + (episodes & MASK32), zero + (episodes >> 32), zero + stream)
    words = philox(counter, (zero + (seeds & MASK32), zero + (seeds >> 32)))
    return xp.reshape(xp.stack(words, axis=-1), (seeds.shape[0], 4 * blocks.shape[1]))[:, :count]


def integers(words: Array, high: Any) -> Array:
    """Words mapped to integers in [0, high), by multiply and shift (Lemire 2019); the bias is below high / 2**32.

    `high`, an integer or an array that broadcasts with `words`, is at most 2**31: the product is int64.
    """
    return (words * high) >> 32


def uniform(words: Array) -> Array:
    """Words mapped to float32 in [0, 1): the upper 24 bits, exact in every backend."""
    xp = array_namespace(words)
    return xp.astype(words >> 8, xp.float32) * (2.0**-24)


def bits(words: Array) -> Array:
    """The bits of (N, count) words, (N, 32 * count) int8 of 0 and 1, the lowest bit of each word first."""
    xp = array_namespace(words)
    shifts = xp.arange(32, dtype=xp.int64, device=device(words))
    spread = (words[:, :, None] >> shifts) & 1
    return xp.reshape(xp.astype(spread, xp.int8), (words.shape[0], 32 * words.shape[1]))


def arrangement(words: Array, high: int | Array) -> Array:
    """Integers in [0, high) without replacement, every ordered choice as likely as another (but for `integers`).

    Word i chooses among the high - i numbers that are left, and so stands for its rank among them: a Lehmer code
    (Lehmer 1960, "Teaching combinatorial tricks to a computer"), which is read from its end.

    Args:
        words: (N, count) random words, count at most `high`.
        high: how many numbers there are, at most 2**31; (N, 1) int64 where rows differ.

    Returns:
        (N, count) int64, no two of a row alike. The first numbers depend on `words` up to their own alone.
    """
    xp, count = array_namespace(words), words.shape[1]
    chosen = integers(words, high - xp.arange(count, dtype=xp.int64, device=device(words)))
    for index in range(count - 2, -1, -1):
        chosen[:, index + 1 :] += xp.astype(chosen[:, index + 1 :] >= chosen[:, index : index + 1], xp.int64)
    return chosen
