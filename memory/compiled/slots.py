"""The slots of one row of the batch, looked up, written and read, as compiled loops; see `memory.compiled.loops`."""

from __future__ import annotations

from typing import Any

import numpy as np

from memory.addressing import EPSILON
from memory.compiled import HEADS
from memory.compiled.loops import loops

TILE = 64
"""Columns of a slot worked on at a time."""


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
def spread(heads: Any, weights: Any, out: Any) -> None:
    """The heads (H, W) by their weights (S, HEADS), added to each slot (S, W)."""
    slots, width = out.shape
    for t in range((width + TILE - 1) // TILE):
        tile, first = tile_of(heads, t), t * TILE
        columns = min(TILE, width - first)
        for s in range(slots):
            m = out[s]
            w0, w1, w2, w3 = weights[s, 0], weights[s, 1], weights[s, 2], weights[s, 3]
            for k in range(columns):
                m[first + k] += (w0 * tile[0, k] + w1 * tile[1, k]) + (w2 * tile[2, k] + w3 * tile[3, k])


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
def look_back(
    memory: Any, keys: Any, scales: Any, scores: Any, weights: Any, grad: Any, memory_grad: Any, keys_grad: Any
) -> None:
    """The gradients of `look` by its weights."""
    slots, width = memory.shape
    share, shrink = np.zeros((slots, HEADS), memory.dtype), np.zeros(slots, memory.dtype)
    for h in range(len(keys)):
        mean = memory.dtype.type(0)
        for s in range(slots):
            mean += weights[h, s] * grad[h, s]
        for s in range(slots):
            share[s, h] = weights[h, s] * (grad[h, s] - mean) * scales[s]
            shrink[s] += share[s, h] * scores[h, s] * scales[s]
    sums(memory, share, keys_grad)
    spread(keys, share, memory_grad)
    for s in range(slots):
        m, out, less = memory[s], memory_grad[s], shrink[s]
        for k in range(width):
            out[k] -= less * m[k]


@loops
def write(memory: Any, weights: Any, erase: Any, add: Any, after: Any) -> None:
    """M (1 - w eᵀ) + w vᵀ (S, W)."""
    slots, width = memory.shape
    for s in range(slots):
        m, out, w = memory[s], after[s], weights[s]
        for k in range(width):
            out[k] = m[k] + w * (add[k] - erase[k] * m[k])


@loops
def write_back(
    memory: Any,
    weights: Any,
    erase: Any,
    add: Any,
    grad: Any,
    memory_grad: Any,
    weights_grad: Any,
    erase_grad: Any,
    add_grad: Any,
) -> None:
    """The gradients of `write`."""
    slots, width = memory.shape
    zero, one = memory.dtype.type(0), memory.dtype.type(1)
    for t in range((width + TILE - 1) // TILE):
        tile, first = np.zeros((4, TILE), memory.dtype), t * TILE
        columns = min(TILE, width - first)
        for k in range(columns):
            tile[0, k], tile[1, k] = erase[first + k], add[first + k]
        for s in range(slots):
            m, g, out, w, total = memory[s], grad[s], memory_grad[s], weights[s], zero
            for k in range(columns):
                change, was = g[first + k], m[first + k]
                total += change * (tile[1, k] - tile[0, k] * was)
                out[first + k] += change * (one - w * tile[0, k])
                tile[2, k] -= w * change * was
                tile[3, k] += w * change
            weights_grad[s] += total
        for k in range(columns):
            erase_grad[first + k] += tile[2, k]
            add_grad[first + k] += tile[3, k]


@loops
def read(memory: Any, weights: Any, out: Any) -> None:
    """w M (H, W)."""
    out[:] = 0
    sums(memory, by_slot(weights), out)


@loops
def read_back(memory: Any, weights: Any, grad: Any, memory_grad: Any, weights_grad: Any) -> None:
    """The gradients of `read`."""
    found = np.zeros((len(memory), HEADS), memory.dtype)
    products(memory, grad, found)
    for h in range(len(weights)):
        for s in range(len(memory)):
            weights_grad[h, s] += found[s, h]
    spread(grad, by_slot(weights), memory_grad)
