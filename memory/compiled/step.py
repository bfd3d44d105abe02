"""A step of the DNC in one compiled piece, for trainings on the host.

It runs in one thread. PyTorch's operations share the work among theirs: with two they still take twice the time.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from memory.addressing import EPSILON
from memory.compiled.alone import alone, own, usual
from memory.compiled.arrays import empty, zeros

MOST_THREADS = 2
"""Of PyTorch, with which the compiled step is the faster one for sure."""


@functools.cache
def _kernels() -> ModuleType | None:
    """`memory.compiled.rows`, where there is Numba and it may compile."""
    try:
        from numba import config

        from memory.compiled import rows
    except ImportError:
        return None
    return None if getattr(config, "DISABLE_JIT", 0) else rows


def compiled(tensor: Tensor) -> bool:
    """Whether a step on such a tensor is best made by `step`."""
    fits = tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.float64)
    return fits and torch.get_num_threads() <= MOST_THREADS and _kernels() is not None


def _arrays(tensors: tuple[Tensor, ...]) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


class _Step(torch.autograd.Function):
    """(interface vectors, state) to (reads, write gates, state); the state as in `memory.compiled.rows`."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> tuple[Tensor, ...]:
        kernels: Any = _kernels()
        ctx.set_materialize_grads(False)
        usual()  # found out here: on a way back there would be another within it
        vectors, *before = _arrays(given)
        state = kernels.State(*before)
        rows, heads, slots = state.reading.shape
        width, kind = state.memory.shape[2], vectors.dtype
        after = kernels.State(*(empty(array.shape, kind) for array in state))
        wanted = (heads + 1, width), (width,), (width,), (heads,), (1,), (1,), (heads, 3)
        asked = kernels.Interface(*(empty((rows, *shape), kind) for shape in wanted))
        kernels.begin(vectors, state, asked, after.usage)
        # as `addressing.allocation` has it, ties and all
        used = EPSILON + (1 - EPSILON) * torch.from_numpy(after.usage)
        order = used.argsort(stable=True).numpy()
        kept = (slots,), (2, slots), (heads + 1, slots), (heads + 1, slots), (heads, slots), (heads, slots)
        trail = kernels.Trail(order, *(empty((rows, *shape), kind) for shape in kept))
        reads = empty((rows, heads * width), kind)
        kernels.step(state, asked, trail, after, reads.reshape(rows, heads, width))
        outputs = [torch.from_numpy(array) for array in after]
        ctx.save_for_backward(*given, *outputs)
        ctx.asked, ctx.trail = asked, trail
        return torch.from_numpy(reads), torch.from_numpy(asked.gate.copy()), *outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        kernels: Any = _kernels()
        links = kernels.State._fields.index("links")
        in_place = alone(grads, 2 + links)
        reads_grad, gate_grad, *after_grads = grads
        vectors, *arrays = _arrays(ctx.saved_tensors)
        state, after, kind = kernels.State(*arrays[:6]), kernels.State(*arrays[6:]), vectors.dtype
        none = zeros((0, 0, 0), kind)
        given = kernels.State(
            *(
                (none if name == "links" else zeros(like.shape, kind)) if grad is None else _arrays((grad,))[0]
                for name, grad, like in zip(kernels.State._fields, after_grads, after, strict=True)
            )
        )
        rows, heads, _ = after.reading.shape
        shape = rows, heads, after.memory.shape[2]
        above = zeros(shape, kind) if reads_grad is None else _arrays((reads_grad,))[0].reshape(shape)
        asked_grad = kernels.Interface(*(zeros(array.shape, kind) for array in ctx.asked))
        if gate_grad is not None:
            asked_grad.gate[:] = gate_grad.numpy()
        made = {"memory": empty(state.memory.shape, kind), "links": none}
        if ctx.needs_input_grad[1 + links]:
            made["links"] = given.links if in_place else empty(state.links.shape, kind)
        state_grad = kernels.State(
            **{name: zeros(array.shape, kind) for name, array in state._asdict().items() if name not in made}, **made
        )
        vectors_grad = empty(vectors.shape, kind)
        kernels.step_back(
            state,
            ctx.asked,
            ctx.trail,
            after,
            given,
            above,
            state_grad,
            asked_grad,
            vectors,
            vectors_grad,
        )
        all_grads = [torch.from_numpy(array) for array in (vectors_grad, *state_grad)]
        all_grads[1 + links] = grads[2 + links] if in_place else own(all_grads[1 + links])
        return tuple(all_grads)


def step(
    vectors: Tensor, state: dict[str, Tensor], slots: int, width: int, reads: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """A step of the DNC with links, without options, by the formulas of `memory.addressing`; see `compiled`.

    Args:
        vectors: (N, (H + 1) (W + 1) + 2 W + 4 H + 2), interface vectors as `memory.dnc` lays them out.
        state: of the last step, with links.
        slots: S.
        width: W, of a slot.
        reads: H, read heads; up to `memory.compiled.HEADS`.

    Returns:
        What is read (N, H * W), and the state after it. Differentiable once.

    Raises:
        ValueError: for a state of other sizes, of which compiled loops would not know.
    """
    names = _kernels().State._fields  # type: ignore[union-attr]
    sizes = ((slots, width), (slots,), (slots,), (slots,), (slots, slots), (reads, slots))
    for name, size in zip(names, sizes, strict=True):
        if state[name].shape != (len(vectors), *size):
            raise ValueError(f"{name} in the state must be {(len(vectors), *size)}, got {tuple(state[name].shape)}")
    read, gate, *after = _Step.apply(vectors, *(state[name] for name in names))
    return read, {**dict(zip(names, after, strict=True)), "write_gate": gate, "read": read}
