"""What the compiled parts of a DNC's step have in common, and its usage and allocation, for one row of the batch.

Left to PyTorch, a step goes over the links a dozen times and waits a hundred times for an operation to begin. Here a
row is made, used and differentiated while it lies in the cache: its slots in `memory.slot_kernels`, its links in
`memory.link_kernels`. Results are put into the last arguments; gradients are added to what is there. Numba is an extra
(`pip install -e '.[fast]'`); the formulas are those of `memory.addressing`, the numbers too, up to rounding.

LLVM makes vectors of a loop over many arrays only where it can tell that they do not overlap. So all that goes with a
slot, or with a row of links, lies in one scratch array, at distances known when it is compiled: a tile holds so many
columns of everything, and heads come as four (`memory.step.HEADS`), of which some may be zeros. That is twice as fast
as a loop for each head.

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
