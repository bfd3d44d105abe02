"""A step of the DNC in one compiled piece, for trainings on the host, where PyTorch has one thread."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from memory.addressing import EPSILON
from memory.arrays import empty, zeros

HEADS = 4
"""Most read heads."""


@functools.cache
def _kernels() -> ModuleType | None:
    """`memory.step_kernels`, where there is Numba and it may compile."""
    try:
        from numba import config

        from memory import step_kernels
    except ImportError:
        return None
    return None if getattr(config, "DISABLE_JIT", 0) else step_kernels


def compiled(tensor: Tensor) -> bool:
    """Whether a step on such a tensor is best made by `step`."""
    fits = tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.float64)
    return fits and torch.get_num_threads() == 1 and _kernels() is not None


def _arrays(tensors: tuple[Tensor, ...]) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


class _Step(torch.autograd.Function):
    """(interface, state) to (reads, state), in the order of `memory.step_kernels`."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> tuple[Tensor, ...]:
        kernels: Any = _kernels()
        ctx.set_materialize_grads(False)
        arrays = _arrays(given)
        asked, state = kernels.Interface(*arrays[:7]), kernels.State(*arrays[7:])
        rows, heads, slots = state.reading.shape
        after = kernels.State(*(empty(array.shape, array.dtype) for array in state))
        kernels.use_all(state, asked.free, after.usage)
        # as `addressing.allocation` has it, ties and all
        used = EPSILON + (1 - EPSILON) * torch.from_numpy(after.usage)
        order = used.argsort(stable=True).numpy()
        shapes = (rows, slots), (rows, 2, slots), *[(rows, heads + 1, slots)] * 2, *[(rows, heads, slots)] * 2
        trail = kernels.Trail(order, *(empty(shape, after.usage.dtype) for shape in shapes))
        reads = empty((rows, heads, state.memory.shape[2]), after.usage.dtype)
        kernels.step(state, asked, trail, after, reads)
        outputs = [torch.from_numpy(array) for array in (reads, *after)]
        ctx.save_for_backward(*given, *outputs[1:])
        ctx.trail = trail
        return tuple(outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, reads_grad: Tensor | None, *after_grads: Tensor | None) -> Any:
        kernels: Any = _kernels()
        arrays = _arrays(ctx.saved_tensors)
        asked, state, after = kernels.Interface(*arrays[:7]), kernels.State(*arrays[7:13]), kernels.State(*arrays[13:])
        grads = [
            np.zeros((0, 0, 0) if name == "links" else like.shape, like.dtype) if grad is None else _arrays((grad,))[0]
            for name, grad, like in zip(kernels.State._fields, after_grads, after, strict=True)
        ]
        rows, heads, _ = after.reading.shape
        if reads_grad is None:
            above = zeros((rows, heads, after.memory.shape[2]), after.memory.dtype)
        else:
            (above,) = _arrays((reads_grad,))
        asked_grad = kernels.Interface(*(zeros(array.shape, array.dtype) for array in asked))
        # the gradient of the links is filled, the others are added to
        state_grad = kernels.State(
            *(
                (empty if name == "links" else zeros)(a.shape, a.dtype)
                for name, a in zip(kernels.State._fields, state, strict=True)
            )
        )
        kernels.step_back(state, asked, ctx.trail, after, kernels.State(*grads), above, state_grad, asked_grad)
        return tuple(torch.from_numpy(array) for array in (*asked_grad, *state_grad))


def step(
    keys: Tensor,
    strengths: Tensor,
    erase: Tensor,
    add: Tensor,
    free: Tensor,
    allocation: Tensor,
    gate: Tensor,
    modes: Tensor,
    state: dict[str, Tensor],
) -> tuple[Tensor, dict[str, Tensor]]:
    """A step of the DNC with links, without options, by the formulas of `memory.addressing`; see `compiled`.

    Args:
        keys: (N, H + 1, W), of up to `HEADS` reads, then of the write.
        strengths: (N, H + 1), beta >= 1.
        erase: (N, W) in [0, 1].
        add: (N, W).
        free: (N, H) in [0, 1].
        allocation: (N, 1) in [0, 1].
        gate: (N, 1) in [0, 1], of the write.
        modes: (N, H, 3), distributions over backward, content, forward.
        state: of the last step, with links.

    Returns:
        What is read (N, H, W), and the state after it. Differentiable once.
    """
    lengths = (keys.square().sum(-1) + EPSILON).rsqrt()
    keys = keys * (strengths * lengths).unsqueeze(-1)
    interface = (keys, erase, add, free, allocation, gate, modes)
    kernels: Any = _kernels()
    names = kernels.State._fields
    reads, *after = _Step.apply(*interface, *(state[name] for name in names))
    return reads, dict(zip(names, after, strict=True))
