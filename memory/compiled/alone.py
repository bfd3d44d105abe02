"""Whether a gradient may be overwritten: when nobody but the backward function that it is given to can see it.

PyTorch asks the same before it lets a leaf keep a gradient instead of a copy (`AccumulateGrad`). A DNC's gradient of
the links is as large as the links, and each step of the way back makes another out of it; in place, that takes three
quarters of the time.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def own(grad: Tensor) -> Tensor:
    """The gradient, marked as made here. Another tensor over the same numbers does not have the mark."""
    grad.made_for_the_way_back = True  # type: ignore[attr-defined]
    return grad


def holders(grads: tuple[Tensor | None, ...], index: int) -> tuple[int, ...]:
    """How often the gradient and its storage are referred to, from Python and from C++ each."""
    grad: Any = grads[index]
    storage = grad.untyped_storage()
    by_storage = sys.getrefcount(storage), torch._C._storage_Use_Count(storage._cdata)
    return sys.getrefcount(grad), grad._use_count(), *by_storage


class _Probe(torch.autograd.Function):
    """Adds nothing, and puts what `holders` tells on the way back into the list it is given."""

    @staticmethod
    def forward(ctx: Any, seen: list[tuple[int, ...]], *given: Tensor) -> tuple[Tensor, ...]:
        ctx.seen = seen
        return tuple(tensor + 0 for tensor in given)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        ctx.seen.append(holders(grads, 0))
        return None, *(own(torch.zeros(1, device="cpu", dtype=torch.float32)) for _ in grads)


@functools.cache
def usual() -> tuple[int, ...] | None:
    """What `holders` tells of a gradient that nobody else holds; None where this PyTorch does not tell."""
    seen: list[tuple[int, ...]] = []
    try:
        with torch.inference_mode(False), torch.enable_grad():
            for _ in range(3):
                given = [torch.zeros(1, device="cpu", dtype=torch.float32, requires_grad=True) for _ in range(2)]
                torch.autograd.grad(sum(_Probe.apply(seen, *_Probe.apply(seen, *given))), given)
    except (AttributeError, TypeError):
        return None
    return min(seen[1::2])  # the second of each pair was given what the first had made; a debugger may hold more


def alone(grads: tuple[Tensor | None, ...], index: int) -> bool:
    """Whether one of the gradients given to a backward function is its `own`, and is seen nowhere else.

    Args:
        grads: all that the function is given after its context.
        index: of the one asked for.
    """
    if usual() is None or not _is_own(grads[index]):
        return False
    return holders(grads, index) == usual()


def _is_own(grad: Tensor | None) -> bool:
    return grad is not None and hasattr(grad, "made_for_the_way_back") and grad.is_contiguous()
