"""The slots of one row of the batch, looked up, written and read, as compiled loops; see `memory.compiled.loops`."""

from __future__ import annotations

from typing import Any

import numpy as np

from memory.addressing import EPSILON
from memory.compiled import HEADS
from memory.compiled.loops import loops

TILE = 64
"""Columns of a slot worked on at a time."""
ERASE, ADD, ERASE_GRAD, ADD_GRAD, CHANGE, KEYS, KEYS_GRAD, READS_GRAD, ROWS = *range(6), 9, 13, 17
"""Rows of a tile of `write_back`, and how many there are; KEYS, KEYS_GRAD and READS_GRAD are four rows each, one
for a head."""


@loops
def tile_of(rows: Any, t: int) -> Any:
    """(HEADS, TILE): the t-th columns of the rows, and zeros."""
    tile, first = np.zeros((HEADS, TILE), rows.dtype), t * TILE
    for h in range(len(rows)):
        for k in range(min(TILE, rows.shape[1] - first)):
            tile[h, k] = rows[h, first + k]
    return tile


@loops
def by_slot(heads: Any) -> Any:
    """(S, HEADS) from (H, S)."""
    out = np.zeros((heads.shape[1], HEADS), heads.dtype)
    for h in range(len(heads)):
        for s in range(len(out)):
            out[s, h] = heads[h, s]
    return out


@loops
def products(memory: Any, heads: Any, out: Any) -> None:
    """Slot by slot, the products with each of the heads (H, W), added to (S, HEADS)."""
    slots, width = memory.shape
    zero = memory.dtype.type(0)
    if len(heads) == 1:  # the write's: the other three would be zeros
        for s in range(slots):
            total = zero
            for k in range(width):
                total += heads[0, k] * memory[s, k]
            out[s, 0] += total
        return
    for t in range((width + TILE - 1) // TILE):
        tile, first = tile_of(heads, t), t * TILE
        columns = min(TILE, width - first)
        for s in range(slots):
            m = memory[s]
            x0 = x1 = x2 = x3 = zero
            for k in range(columns):
                x = m[first + k]
                x0 += tile[0, k] * x
                x1 += tile[1, k] * x
                x2 += tile[2, k] * x
                x3 += tile[3, k] * x
            out[s, 0] += x0
            out[s, 1] += x1
            out[s, 2] += x2
            out[s, 3] += x3


@loops
def sums(memory: Any, weights: Any, out: Any) -> None:
    """The slots by their weights (S, HEADS), summed and added to (H, W)."""
    slots, width = memory.shape
    for t in range((width + TILE - 1) // TILE):
        tile, first = tile_of(out, t), t * TILE
        columns = min(TILE, width - first)
        for s in range(slots):
            m = memory[s]
            w0, w1, w2, w3 = weights[s, 0], weights[s, 1], weights[s, 2], weights[s, 3]
            for k in range(columns):
                x = m[first + k]
                tile[0, k] += w0 * x
                tile[1, k] += w1 * x
                tile[2, k] += w2 * x
                tile[3, k] += w3 * x
        for h in range(len(out)):
            for k in range(columns):
                out[h, first + k] = tile[h, k]


@loops
def look(memory: Any, keys: Any, scales: Any, scores: Any, weights: Any) -> None:
    """1 / |slot| (S), keys . slot / |slot| (H, S), and the softmax of those."""
    slots, width = memory.shape
    zero, one, least = memory.dtype.type(0), memory.dtype.type(1), memory.dtype.type(EPSILON)
    for s in range(slots):
        m, total = memory[s], zero
        for k in range(width):
            total += m[k] * m[k]
        scales[s] = one / np.sqrt(total + least)
    like = np.zeros((slots, HEADS), memory.dtype)
    products(memory, keys, like)
    for h in range(len(keys)):
        score, weight, total = scores[h], weights[h], zero
        for s in range(slots):
            score[s] = like[s, h] * scales[s]
        largest = score.max()
        for s in range(slots):
            weight[s] = np.exp(score[s] - largest)
            total += weight[s]
        for s in range(slots):
            weight[s] /= total


@loops
def shares(scales: Any, scores: Any, weights: Any, grad: Any) -> Any:
    """What `look` gives back to each slot: so much of every key (S, HEADS), less so much of itself (S)."""
    slots, zero = len(scales), scales.dtype.type(0)
    share, shrink = np.zeros((slots, HEADS), scales.dtype), np.zeros_like(scales)
    for h in range(len(weights)):
        mean = zero
        for s in range(slots):
            mean += weights[h, s] * grad[h, s]
        for s in range(slots):
            share[s, h] = weights[h, s] * (grad[h, s] - mean) * scales[s]
            shrink[s] += share[s, h] * scores[h, s] * scales[s]
    return share, shrink


@loops
def look_back(memory: Any, key: Any, share: Any, shrink: Any, memory_grad: Any, key_grad: Any) -> None:
    """The gradients of `look` with one key (W), from what `shares` found."""
    slots, width = memory.shape
    for t in range((width + TILE - 1) // TILE):
        tile, first = np.zeros((2, TILE), memory.dtype), t * TILE
        columns = min(TILE, width - first)
        for k in range(columns):
            tile[0, k] = key[first + k]
        for s in range(slots):
            m, out, more, less = memory[s], memory_grad[s], share[s, 0], shrink[s]
            for k in range(columns):
                out[first + k] += more * tile[0, k] - less * m[first + k]
            for k in range(columns):
                tile[1, k] += more * m[first + k]
        for k in range(columns):
            key_grad[first + k] += tile[1, k]


@loops
def write(memory: Any, weights: Any, erase: Any, add: Any, after: Any) -> None:
    """M (1 - w eᵀ) + w vᵀ (S, W)."""
    slots, width = memory.shape
    for s in range(slots):
        m, out, w = memory[s], after[s], weights[s]
        for k in range(width):
            out[k] = m[k] + w * (add[k] - erase[k] * m[k])


@loops
def read(memory: Any, weights: Any, out: Any) -> None:
    """w M (H, W)."""
    out[:] = 0
    sums(memory, by_slot(weights), out)


@loops
def write_back(
    before: Any,
    after: Any,
    weights: Any,
    erase: Any,
    add: Any,
    keys: Any,
    share: Any,
    shrink: Any,
    reading: Any,
    reads_grad: Any,
    after_grad: Any,
    before_grad: Any,
    weights_grad: Any,
    erase_grad: Any,
    add_grad: Any,
    keys_grad: Any,
) -> None:
    """The gradients of `write`, and of `look` and `read` after it: a slot is gone over once.

    `before_grad` is new; the others are added to.

    Args:
        before: the slots (S, W).
        after: as written.
        weights: of the write (S).
        erase: (W).
        add: (W).
        keys: of the look (H, W).
        share: of each key (S, HEADS), as found by `shares`.
        shrink: (S), of the same.
        reading: weights of the read (S, HEADS).
        reads_grad: (H, W).
        after_grad: of the slots as written, by all that comes later.
    """
    slots, width = before.shape
    zero, one = before.dtype.type(0), before.dtype.type(1)
    for t in range((width + TILE - 1) // TILE):
        tile, first = np.zeros((ROWS, TILE), before.dtype), t * TILE
        columns = min(TILE, width - first)
        for k in range(columns):
            tile[ERASE, k], tile[ADD, k] = erase[first + k], add[first + k]
            for h in range(len(keys)):
                tile[KEYS + h, k], tile[READS_GRAD + h, k] = keys[h, first + k], reads_grad[h, first + k]
        for s in range(slots):
            now, was, given, out, w, total = after[s], before[s], after_grad[s], before_grad[s], weights[s], zero
            r0, r1, r2, r3 = reading[s, 0], reading[s, 1], reading[s, 2], reading[s, 3]
            s0, s1, s2, s3, less = share[s, 0], share[s, 1], share[s, 2], share[s, 3], shrink[s]
            for k in range(columns):
                x = now[first + k]
                change = given[first + k] - less * x
                change += (s0 * tile[KEYS, k] + s1 * tile[KEYS + 1, k]) + (
                    s2 * tile[KEYS + 2, k] + s3 * tile[KEYS + 3, k]
                )
                change += r0 * tile[READS_GRAD, k] + r1 * tile[READS_GRAD + 1, k]
                change += r2 * tile[READS_GRAD + 2, k] + r3 * tile[READS_GRAD + 3, k]
                tile[CHANGE, k] = change
                tile[KEYS_GRAD, k] += s0 * x
                tile[KEYS_GRAD + 1, k] += s1 * x
                tile[KEYS_GRAD + 2, k] += s2 * x
                tile[KEYS_GRAD + 3, k] += s3 * x
            for k in range(columns):
                change, x = tile[CHANGE, k], was[first + k]
                total += change * (tile[ADD, k] - tile[ERASE, k] * x)
                tile[ERASE_GRAD, k] -= w * change * x
                tile[ADD_GRAD, k] += w * change
                out[first + k] = change * (one - w * tile[ERASE, k])
            weights_grad[s] += total
        for k in range(columns):
            erase_grad[first + k] += tile[ERASE_GRAD, k]
            add_grad[first + k] += tile[ADD_GRAD, k]
            for h in range(len(keys)):
                keys_grad[h, first + k] += tile[KEYS_GRAD + h, k]
