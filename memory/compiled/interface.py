"""The interface vector of a DNC taken apart, for one row of the batch, as compiled loops; see `memory.compiled.loops`.

In the order of `memory.dnc`: keys, their strengths, erase vector, write vector, free gates, allocation gate, write
gate, read modes (Graves et al. 2016, Methods, interface parameters).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from memory.addressing import EPSILON
from memory.compiled.loops import loops


@loops
def parts(heads: int, width: int) -> tuple[int, int, int, int, int, int, int]:
    """Where each part but the keys begins, of so many read heads."""
    strength = (heads + 1) * width
    erase = strength + heads + 1
    add = erase + width
    free = add + width
    allocation = free + heads
    return strength, erase, add, free, allocation, allocation + 1, allocation + 2


@loops
def sigmoid(given: Any, out: Any) -> None:
    """Of each of a few numbers."""
    one = given.dtype.type(1)
    for k in range(len(out)):
        out[k] = one / (one + np.exp(-given[k]))


@loops
def sigmoid_back(value: Any, grad: Any, given_grad: Any) -> None:
    """Its gradient, all new, from its value."""
    one = value.dtype.type(1)
    for k in range(len(value)):
        given_grad[k] = grad[k] * value[k] * (one - value[k])


@loops
def ask(given: Any, keys: Any, erase: Any, add: Any, free: Any, allocation: Any, gate: Any, modes: Any) -> None:
    """The parts of an interface vector, each in its range; keys (H + 1, W) are made as long as they are strong."""
    heads, width = free.shape[0], keys.shape[1]
    strength, erasing, adding, freeing, allocating, gating, choosing = parts(heads, width)
    zero, one, least = given.dtype.type(0), given.dtype.type(1), given.dtype.type(EPSILON)
    for h in range(heads + 1):
        key, total, x = given[h * width : (h + 1) * width], zero, given[strength + h]
        for k in range(width):
            total += key[k] * key[k]
        beta = one + max(x, zero) + np.log1p(np.exp(-abs(x)))  # oneplus
        scale = beta / np.sqrt(total + least)
        for k in range(width):
            keys[h, k] = key[k] * scale
    sigmoid(given[erasing:adding], erase)
    add[:] = given[adding:freeing]
    sigmoid(given[freeing:allocating], free)
    sigmoid(given[allocating:gating], allocation)
    sigmoid(given[gating:choosing], gate)
    for h in range(heads):
        mode, total = given[choosing + 3 * h : choosing + 3 * h + 3], zero
        largest = mode.max()
        for k in range(3):
            modes[h, k] = np.exp(mode[k] - largest)
            total += modes[h, k]
        for k in range(3):
            modes[h, k] /= total


@loops
def ask_back(
    given: Any,
    keys: Any,
    erase: Any,
    free: Any,
    allocation: Any,
    gate: Any,
    modes: Any,
    keys_grad: Any,
    erase_grad: Any,
    add_grad: Any,
    free_grad: Any,
    allocation_grad: Any,
    gate_grad: Any,
    modes_grad: Any,
    given_grad: Any,
) -> None:
    """The gradient of `ask`, all new."""
    heads, width = free.shape[0], keys.shape[1]
    strength, erasing, adding, freeing, allocating, gating, choosing = parts(heads, width)
    zero, one, least = given.dtype.type(0), given.dtype.type(1), given.dtype.type(EPSILON)
    for h in range(heads + 1):
        key, out, x = given[h * width : (h + 1) * width], given_grad[h * width : (h + 1) * width], given[strength + h]
        total, along = zero, zero
        for k in range(width):
            total += key[k] * key[k]
            along += key[k] * keys_grad[h, k]
        length = one / np.sqrt(total + least)
        beta = one + max(x, zero) + np.log1p(np.exp(-abs(x)))
        for k in range(width):
            out[k] = beta * length * (keys_grad[h, k] - length * length * along * key[k])
        given_grad[strength + h] = along * length / (one + np.exp(-x))
    sigmoid_back(erase, erase_grad, given_grad[erasing:adding])
    given_grad[adding:freeing] = add_grad
    sigmoid_back(free, free_grad, given_grad[freeing:allocating])
    sigmoid_back(allocation, allocation_grad, given_grad[allocating:gating])
    sigmoid_back(gate, gate_grad, given_grad[gating:choosing])
    for h in range(heads):
        mean = zero
        for k in range(3):
            mean += modes[h, k] * modes_grad[h, k]
        for k in range(3):
            given_grad[choosing + 3 * h + k] = modes[h, k] * (modes_grad[h, k] - mean)
