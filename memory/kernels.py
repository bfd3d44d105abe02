"""The parts of a DNC's step for one row of the batch, and their gradients, as compiled loops for arrays on the host.

Left to PyTorch, a step goes over the links a dozen times and waits a hundred times for an operation to begin. Here a
row of links is made, used and differentiated while it lies in the cache. Results are put into the last arguments;
gradients are added to what is there, but for those of the links, which are all new. Numba is an extra
(`pip install -e '.[fast]'`); the formulas are those of `memory.addressing`, the numbers too, up to rounding.

Shapes: S slots, W the width of a slot, H heads.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from memory.addressing import EPSILON

FAST = {"reassoc", "contract", "nsz", "arcp"}
"""Sums in any order, so that they are vectorised; NaN and infinity stay what they are."""

loops = numba.njit(cache=True, nogil=True, fastmath=FAST)


@loops
def follow(previous: Any, precedence: Any, write: Any, read: Any, links: Any, forward: Any, backward: Any) -> None:
    """Links (S, S), and forward and backward weights (H, S)."""
    slots, heads = len(write), len(read)
    zero, one = previous.dtype.type(0), previous.dtype.type(1)  # a plain 1 would make doubles of floats
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
    """The gradients of `follow`; `links_grad` of no slots stands for zeros."""
    slots, heads = len(write), len(read)
    zero, one = previous.dtype.type(0), previous.dtype.type(1)
    link, grad = np.empty_like(write), np.empty_like(write)
    for i in range(slots):
        before, here, kept = previous[i], write[i], one - write[i]
        for j in range(slots):
            link[j] = (kept - write[j]) * before[j] + here * precedence[j]
        link[i] = 0
        if len(links_grad):
            grad[:] = links_grad[i]
        else:
            grad[:] = 0
        for h in range(heads):
            r, b, rg, f = read[h], backward_grad[h], read_grad[h], forward_grad[h, i]
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
            total += grad[j] * precedence[j] - lost
            write_grad[j] -= lost
        write_grad[i] += total
        for j in range(slots):
            precedence_grad[j] += here * grad[j]
        out = previous_grad[i]
        for j in range(slots):
            out[j] = grad[j] * (kept - write[j])


@loops
def allocate(used: Any, order: Any, allocated: Any) -> None:
    """What is free first (S): `order` holds the slots from the least used one on."""
    one, least = used.dtype.type(1), used.dtype.type(EPSILON)
    before = one
    for s in order:
        use = least + (one - least) * used[s]
        allocated[s] = (one - use) * before
        before *= use


@loops
def allocate_back(used: Any, order: Any, allocated: Any, grad: Any, used_grad: Any) -> None:
    """The gradient of `allocate`; the order is not differentiated."""
    one, least = used.dtype.type(1), used.dtype.type(EPSILON)
    product, before = one, np.empty_like(used)
    for s in order:
        before[s] = product
        product *= least + (one - least) * used[s]
    later = used.dtype.type(0)
    for s in order[::-1]:
        use = least + (one - least) * used[s]
        used_grad[s] += (one - least) * (later / use - grad[s] * before[s])
        later += grad[s] * allocated[s]


@loops
def look(memory: Any, keys: Any, scales: Any, scores: Any, weights: Any) -> None:
    """1 / |slot| (S), keys . slot / |slot| (H, S), and the softmax of those."""
    (slots, width), heads = memory.shape, len(keys)
    zero, one, least = memory.dtype.type(0), memory.dtype.type(1), memory.dtype.type(EPSILON)
    for s in range(slots):
        m, total = memory[s], zero
        for k in range(width):
            total += m[k] * m[k]
        scales[s] = one / np.sqrt(total + least)
        for h in range(heads):
            key, total = keys[h], zero
            for k in range(width):
                total += m[k] * key[k]
            scores[h, s] = total * scales[s]
    for h in range(heads):
        score, weight, total = scores[h], weights[h], zero
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
    (slots, width), heads = memory.shape, len(keys)
    zero = memory.dtype.type(0)
    share = np.empty_like(weights)
    for h in range(heads):
        mean = zero
        for s in range(slots):
            mean += weights[h, s] * grad[h, s]
        for s in range(slots):
            share[h, s] = weights[h, s] * (grad[h, s] - mean) * scales[s]
    for s in range(slots):
        m, out, shrink = memory[s], memory_grad[s], zero
        for h in range(heads):
            shrink += share[h, s] * scores[h, s]
        shrink *= scales[s]
        for k in range(width):
            out[k] -= shrink * m[k]
        for h in range(heads):
            key, kg, part = keys[h], keys_grad[h], share[h, s]
            for k in range(width):
                out[k] += part * key[k]
                kg[k] += part * m[k]


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
    for s in range(slots):
        m, g, out, w, total = memory[s], grad[s], memory_grad[s], weights[s], zero
        for k in range(width):
            total += g[k] * (add[k] - erase[k] * m[k])
            out[k] += g[k] * (one - w * erase[k])
            add_grad[k] += w * g[k]
            erase_grad[k] -= w * g[k] * m[k]
        weights_grad[s] += total


@loops
def read(memory: Any, weights: Any, out: Any) -> None:
    """w M (H, W)."""
    (slots, width), heads = memory.shape, len(weights)
    out[:] = 0
    for s in range(slots):
        m = memory[s]
        for h in range(heads):
            o, w = out[h], weights[h, s]
            for k in range(width):
                o[k] += w * m[k]


@loops
def read_back(memory: Any, weights: Any, grad: Any, memory_grad: Any, weights_grad: Any) -> None:
    """The gradients of `read`."""
    (slots, width), heads = memory.shape, len(weights)
    zero = memory.dtype.type(0)
    for s in range(slots):
        m, out = memory[s], memory_grad[s]
        for h in range(heads):
            g, w, total = grad[h], weights[h, s], zero
            for k in range(width):
                total += g[k] * m[k]
                out[k] += w * g[k]
            weights_grad[h, s] += total
