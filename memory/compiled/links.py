"""The temporal links of one row of the batch as compiled loops; see `memory.compiled.loops`."""

from __future__ import annotations

from typing import Any

import numpy as np

from memory.compiled import HEADS
from memory.compiled.loops import loops

TILE = 128
"""Columns of a tile: with a row of links it stays in the first cache."""
WRITE, PRECEDENCE, LINK, WRITE_GRAD, PRECEDENCE_GRAD, GRAD, READ, BACK, READ_GRAD, ROWS = *range(7), 10, 14, 18
"""Rows of a tile, and how many there are; READ, BACK and READ_GRAD are four rows each, one for a head."""


@loops
def follow(previous: Any, precedence: Any, write: Any, read: Any, links: Any, forward: Any, backward: Any) -> None:
    """Links (S, S), and forward and backward weights (H, S)."""
    slots, heads = len(write), len(read)
    zero, one = previous.dtype.type(0), previous.dtype.type(1)
    backward[:] = 0
    for i in range(slots):
        link, before, here, kept = links[i], previous[i], write[i], one - write[i]
        for j in range(slots):
            link[j] = (kept - write[j]) * before[j] + here * precedence[j]
        link[i] = 0
        for h in range(heads):
            r, b, total = read[h], backward[h], zero
            at = r[i]
            for j in range(slots):
                total += link[j] * r[j]
                b[j] += link[j] * at
            forward[h, i] = max(total, zero)
    for h in range(heads):
        for j in range(slots):
            backward[h, j] = max(backward[h, j], zero)


@loops
def follow_back(
    previous: Any,
    precedence: Any,
    write: Any,
    read: Any,
    links_grad: Any,
    forward_grad: Any,
    backward_grad: Any,
    previous_grad: Any,
    precedence_grad: Any,
    write_grad: Any,
    read_grad: Any,
) -> None:
    """The gradients of `follow`, all new by the previous links.

    `links_grad` of no slots stands for zeros, `previous_grad` of none is not wanted; the two may be one array.
    """
    slots, heads = len(write), len(read)
    zero, one = previous.dtype.type(0), previous.dtype.type(1)
    tiles = np.zeros(((slots + TILE - 1) // TILE, ROWS, TILE), previous.dtype)
    ahead, none = np.zeros((HEADS, slots), previous.dtype), np.zeros(slots, previous.dtype)
    unwanted = np.empty_like(none)
    ahead[:heads] = forward_grad
    for s in range(slots):
        given = tiles[s // TILE, :, s % TILE]
        given[WRITE], given[PRECEDENCE] = write[s], precedence[s]
        for h in range(heads):
            given[READ + h], given[BACK + h] = read[h, s], backward_grad[h, s]
    for i in range(slots):
        before, here, kept, total = previous[i], write[i], one - write[i], zero
        out = previous_grad[i] if len(previous_grad) else unwanted
        later = links_grad[i] if len(links_grad) else none
        own = tiles[i // TILE, :, i % TILE]
        r0, r1, r2, r3 = own[READ], own[READ + 1], own[READ + 2], own[READ + 3]
        f0, f1, f2, f3 = ahead[0, i], ahead[1, i], ahead[2, i], ahead[3, i]
        b0 = b1 = b2 = b3 = zero
        for t in range(len(tiles)):
            tile, first = tiles[t], t * TILE
            columns, diagonal = min(TILE, slots - first), i - first
            for j in range(columns):
                tile[LINK, j] = (kept - tile[WRITE, j]) * before[first + j] + here * tile[PRECEDENCE, j]
            if 0 <= diagonal < TILE:
                tile[LINK, diagonal] = 0
            for j in range(columns):
                link = tile[LINK, j]
                grad = f0 * tile[READ, j] + f1 * tile[READ + 1, j] + f2 * tile[READ + 2, j] + f3 * tile[READ + 3, j]
                grad += r0 * tile[BACK, j] + r1 * tile[BACK + 1, j] + r2 * tile[BACK + 2, j] + r3 * tile[BACK + 3, j]
                tile[GRAD, j] = later[first + j] + grad
                tile[READ_GRAD, j] += f0 * link
                tile[READ_GRAD + 1, j] += f1 * link
                tile[READ_GRAD + 2, j] += f2 * link
                tile[READ_GRAD + 3, j] += f3 * link
                b0 += tile[BACK, j] * link
                b1 += tile[BACK + 1, j] * link
                b2 += tile[BACK + 2, j] * link
                b3 += tile[BACK + 3, j] * link
            if 0 <= diagonal < TILE:
                tile[GRAD, diagonal] = 0
            for j in range(columns):
                grad = tile[GRAD, j]
                lost = grad * before[first + j]
                total += grad * tile[PRECEDENCE, j] - lost
                tile[WRITE_GRAD, j] -= lost
                tile[PRECEDENCE_GRAD, j] += here * grad
                out[first + j] = grad * (kept - tile[WRITE, j])
        own[WRITE_GRAD] += total
        own[READ_GRAD] += b0
        own[READ_GRAD + 1] += b1
        own[READ_GRAD + 2] += b2
        own[READ_GRAD + 3] += b3
    for s in range(slots):
        gained = tiles[s // TILE, :, s % TILE]
        write_grad[s] += gained[WRITE_GRAD]
        precedence_grad[s] += gained[PRECEDENCE_GRAD]
        for h in range(heads):
            read_grad[h, s] += gained[READ_GRAD + h]
