"""What is used and what is free, in one row of the batch, as compiled loops; see `memory.compiled.loops`."""

from __future__ import annotations

from typing import Any

import numpy as np

from memory.addressing import EPSILON
from memory.compiled.loops import loops


@loops
def use(usage: Any, written: Any, reading: Any, free: Any, after: Any) -> None:
    """The usage (S) after what was written (S) and what was read (H, S) and is freed (H)."""
    one = usage.dtype.type(1)  # a plain 1 would make doubles of floats
    for s in range(len(after)):
        after[s] = usage[s] + written[s] - usage[s] * written[s]
    for h in range(len(free)):
        r, f = reading[h], free[h]
        for s in range(len(after)):
            after[s] *= one - f * r[s]


@loops
def use_back(usage: Any, written: Any, reading: Any, free: Any, grad: Any, *grads: Any) -> None:
    """The gradients of `use`, added to those of usage, what was written, what was read, and the free gates."""
    usage_grad, written_grad, reading_grad, free_grad = grads
    zero, one, heads = usage.dtype.type(0), usage.dtype.type(1), len(free)
    others = np.empty_like(usage)
    for h in range(heads + 1):  # what the other heads leave of the gradient; in the end, what all leave
        others[:] = grad
        for k in range(heads):
            if k != h:
                r, f = reading[k], free[k]
                for s in range(len(others)):
                    others[s] *= one - f * r[s]
        if h < heads:
            r, r_grad, f, total = reading[h], reading_grad[h], free[h], zero
            for s in range(len(others)):
                change = others[s] * (usage[s] + written[s] - usage[s] * written[s])
                total += change * r[s]
                r_grad[s] -= change * f
            free_grad[h] -= total
    for s in range(len(others)):
        usage_grad[s] += others[s] * (one - written[s])
        written_grad[s] += others[s] * (one - usage[s])


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
