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

from memory.compiled.arrays import empty, lent


def holders(grads: tuple[Tensor | None, ...], index: int) -> tuple[int, ...]:
    """How often the gradient is referred to from Python, how often from C++, and how often its storage is."""
    grad: Any = grads[index]
    storage = torch._C._storage_Use_Count(grad.untyped_storage()._cdata)
    return sys.getrefcount(grad), grad._use_count(), storage


class _Probe(torch.autograd.Function):
    """Adds nothing. Its `seen` is what `holders` tells of a gradient that nobody else holds."""

    seen: tuple[int, ...] = ()

    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensor + 0 for tensor in given)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        _Probe.seen = holders(grads, 0)
        return tuple(torch.from_numpy(empty((1,), "float32")) for _ in grads)


@functools.cache
def usual() -> tuple[int, ...] | None:
    """What `holders` tells of a gradient that nobody else holds; None where this PyTorch does not tell."""
    try:
        with torch.enable_grad():
            given = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
            torch.autograd.grad(sum(_Probe.apply(*_Probe.apply(*given))), given)
    except (AttributeError, TypeError):
        return None
    return _Probe.seen


def alone(grads: tuple[Tensor | None, ...], index: int) -> bool:
    """Whether one of the gradients given to a backward function was made by this package, and is seen nowhere else.

    Args:
        grads: all that the function is given after its context.
        index: of the one asked for.
    """
    return _ours(grads[index]) and holders(grads, index) == usual()


def _ours(grad: Tensor | None) -> bool:
    return grad is not None and grad.is_contiguous() and lent(grad.data_ptr())
