"""The costly steps of the DNC as compiled loops, for arrays on the host and one thread: each array is passed once.

The plain functions of `memory.links` go over the links a dozen times a step. Here a row of them is made, used and
differentiated while it lies in the cache. Numba is an extra (`pip install -e '.[fast]'`); where it is missing the plain
functions do the work, and the numbers are the same up to rounding.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

FAST = {"reassoc", "contract", "nsz", "arcp"}
"""Sums in any order, so that they are vectorised; NaN and infinity stay what they are."""

loops = numba.njit(cache=True, nogil=True, fastmath=FAST)


@loops
def follow(previous: Any, precedence: Any, write: Any, read: Any, links: Any, forward: Any, backward: Any) -> None:
    """Links (N, S, S), and forward and backward weights (N, H, S), into the last three; see `memory.links._Follow`."""
    rows, slots, _ = previous.shape
    heads = read.shape[1]
    zero, one = previous.dtype.type(0), previous.dtype.type(1)  # a plain 1 would make doubles of floats
    backward[:] = 0
    for n in range(rows):
        w, p = write[n], precedence[n]
        for i in range(slots):
            link, before, here, kept = links[n, i], previous[n, i], w[i], one - w[i]
            for j in range(slots):
                link[j] = (kept - w[j]) * before[j] + here * p[j]
            link[i] = 0
            for h in range(heads):
                r, b = read[n, h], backward[n, h]
                at, total = r[i], zero
                for j in range(slots):
                    total += link[j] * r[j]
                    b[j] += link[j] * at
                forward[n, h, i] = total


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
    """The gradients of `follow` into the last four; `links_grad` of no rows stands for zeros."""
    rows, slots, _ = previous.shape
    heads = read.shape[1]
    zero, one = previous.dtype.type(0), previous.dtype.type(1)
    precedence_grad[:] = 0
    write_grad[:] = 0
    read_grad[:] = 0
    link, grad = np.empty_like(write[0]), np.empty_like(write[0])
    for n in range(rows):
        w, p, wg, pg = write[n], precedence[n], write_grad[n], precedence_grad[n]
        for i in range(slots):
            before, here, kept = previous[n, i], w[i], one - w[i]
            for j in range(slots):
                link[j] = (kept - w[j]) * before[j] + here * p[j]
            link[i] = 0
            if links_grad.shape[0]:
                grad[:] = links_grad[n, i]
            else:
                grad[:] = 0
            for h in range(heads):
                r, b, rg, f = read[n, h], backward_grad[n, h], read_grad[n, h], forward_grad[n, h, i]
                at, total = r[i], zero
                for j in range(slots):
                    grad[j] += f * r[j] + at * b[j]
                for j in range(slots):
                    rg[j] += f * link[j]
                    total += b[j] * link[j]
                rg[i] += total
            grad[i] = 0
            total = zero
            for j in range(slots):
                lost = grad[j] * before[j]
                total += grad[j] * p[j] - lost
                wg[j] -= lost
            wg[i] += total
            for j in range(slots):
                pg[j] += here * grad[j]
            out = previous_grad[n, i]
            for j in range(slots):
                out[j] = grad[j] * (kept - w[j])


@loops
def write(memory: Any, weights: Any, erase: Any, add: Any, after: Any) -> None:
    """M (1 - w eᵀ) + w vᵀ into `after` (N, S, W)."""
    rows, slots, width = memory.shape
    for n in range(rows):
        e, v = erase[n], add[n]
        for s in range(slots):
            m, out, w = memory[n, s], after[n, s], weights[n, s]
            for k in range(width):
                out[k] = m[k] + w * (v[k] - e[k] * m[k])


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
    """The gradients of `write` into the last four."""
    rows, slots, width = memory.shape
    zero, one = memory.dtype.type(0), memory.dtype.type(1)
    erase_grad[:] = 0
    add_grad[:] = 0
    for n in range(rows):
        e, v, eg, vg = erase[n], add[n], erase_grad[n], add_grad[n]
        for s in range(slots):
            m, g, out, w = memory[n, s], grad[n, s], memory_grad[n, s], weights[n, s]
            total = zero
            for k in range(width):
                total += g[k] * (v[k] - e[k] * m[k])
                out[k] = g[k] * (one - w * e[k])
            weights_grad[n, s] = total
            for k in range(width):
                vg[k] += w * g[k]
                eg[k] -= w * g[k] * m[k]


@loops
def match(memory: Any, keys: Any, epsilon: float, scales: Any, scores: Any) -> None:
    """1 / |slot| (N, S), and keys . slot / |slot| (N, H, S), into the last two."""
    rows, slots, width = memory.shape
    heads = keys.shape[1]
    zero, one, least = memory.dtype.type(0), memory.dtype.type(1), memory.dtype.type(epsilon)
    for n in range(rows):
        for s in range(slots):
            m = memory[n, s]
            total = zero
            for k in range(width):
                total += m[k] * m[k]
            scale = one / np.sqrt(total + least)
            scales[n, s] = scale
            for h in range(heads):
                key = keys[n, h]
                total = zero
                for k in range(width):
                    total += m[k] * key[k]
                scores[n, h, s] = total * scale


@loops
def match_back(memory: Any, keys: Any, scales: Any, scores: Any, grad: Any, memory_grad: Any, keys_grad: Any) -> None:
    """The gradients of `match` into the last two."""
    rows, slots, width = memory.shape
    heads = keys.shape[1]
    zero = memory.dtype.type(0)
    keys_grad[:] = 0
    for n in range(rows):
        for s in range(slots):
            m, out, scale = memory[n, s], memory_grad[n, s], scales[n, s]
            shrink = zero
            for h in range(heads):
                shrink += grad[n, h, s] * scores[n, h, s]
            shrink *= scale * scale
            for k in range(width):
                out[k] = -shrink * m[k]
            for h in range(heads):
                key, kg, share = keys[n, h], keys_grad[n, h], grad[n, h, s] * scale
                for k in range(width):
                    out[k] += share * key[k]
                    kg[k] += share * m[k]
