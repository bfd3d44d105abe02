"""The costly parts of a DNC's step with gradients written by hand: the same numbers in far fewer passes over memory.

Autograd makes dozens of passes a step over arrays of the size of the link matrix, (N, S, S), most of them over memory
that was just allocated. The functions here keep only the links themselves for the backward pass, work in place and, on
a CPU, in blocks of the batch that stay in the cache. Heads are rows on the left of every product: with a thin matrix on
the right, a BLAS takes five times as long. `torch.compile` takes the operations on links as they are, and fuses the
rest of the step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.library import custom_op

from memory.addressing import EPSILON
from memory.precision import full_precision

BLOCK = 2**18
"""Elements of links worked on at a time on a CPU: 1 MB of float32."""


def _blocks(links: Tensor) -> Iterator[slice]:
    rows, slots, _ = links.shape
    size = rows if links.is_cuda else max(1, BLOCK // slots**2)
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def _empty_like(*tensors: Tensor) -> list[Tensor]:
    return [torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in tensors]


@custom_op(
    "memory::follow_links",
    mutates_args=(),
    schema="(Tensor previous, Tensor precedence, Tensor write, Tensor read) -> (Tensor, Tensor, Tensor)",
)
def _follow(previous: Tensor, precedence: Tensor, write: Tensor, read: Tensor) -> tuple[Tensor, ...]:
    """L_t = (1 - w_i - w_j) L_{t-1} + w_i p_j, diagonal zero; f = r L_tᵀ; b = r L_t."""
    read = read.contiguous()
    links, forward, backward = _empty_like(previous, read, read)
    kept, column, row, last = (1 - write).unsqueeze(2), write.unsqueeze(2), write.unsqueeze(1), precedence.unsqueeze(1)
    for rows in _blocks(previous):
        block = torch.sub(kept[rows], row[rows], out=links[rows]).mul_(previous[rows])
        block.addcmul_(column[rows], last[rows]).diagonal(dim1=1, dim2=2).zero_()
        torch.bmm(read[rows], block.mT, out=forward[rows])
        torch.bmm(read[rows], block, out=backward[rows])
    return links, forward, backward


@_follow.register_fake
def _(previous: Tensor, precedence: Tensor, write: Tensor, read: Tensor) -> tuple[Tensor, ...]:
    return tuple(_empty_like(previous, read, read))


@custom_op(
    "memory::follow_links_backward",
    mutates_args=(),
    schema="(Tensor? links_grad, Tensor? forward, Tensor? backward, Tensor previous, Tensor precedence, Tensor write, "
    "Tensor read, Tensor links) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _follow_backward(
    links_grad: Tensor | None, forward: Tensor | None, backward: Tensor | None, *saved: Tensor
) -> tuple[Tensor, ...]:
    """The gradients of what `_follow` was given, from those of links, f and b; `saved` is as `_keep` saves it."""
    previous, precedence, write, read, links = saved
    forward = torch.zeros_like(read) if forward is None else forward.contiguous()
    backward = torch.zeros_like(read) if backward is None else backward.contiguous()
    left, right = torch.cat([forward, read], 1).mT, torch.cat([read, backward], 1)
    kept, row, last = (1 - write).unsqueeze(2), write.unsqueeze(1), precedence.unsqueeze(1)
    previous_grad, last_grad, write_grad, read_grad = _empty_like(previous, last, row, read)
    space = None
    for rows in _blocks(previous):
        block, grad = links[rows], previous_grad[rows]
        torch.bmm(forward[rows], block, out=read_grad[rows])
        read_grad[rows].baddbmm_(backward[rows], block.mT)
        if links_grad is None:
            torch.bmm(left[rows], right[rows], out=grad)
        else:
            torch.baddbmm(links_grad[rows], left[rows], right[rows], out=grad)
        grad.diagonal(dim1=1, dim2=2).zero_()
        torch.bmm(row[rows], grad, out=last_grad[rows])
        space = torch.empty_like(grad) if space is None else space[: len(grad)]
        torch.mul(grad, previous[rows], out=space)
        torch.bmm(last[rows], grad.mT, out=write_grad[rows])
        write_grad[rows] -= (space.sum(1) + space.sum(2)).unsqueeze(1)
        grad.mul_(torch.sub(kept[rows], row[rows], out=space))
    return previous_grad, last_grad.squeeze(1), write_grad.squeeze(1), read_grad


@_follow_backward.register_fake
def _(*given: Tensor) -> tuple[Tensor, ...]:
    return tuple(_empty_like(*given[3:7]))


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs, output[0])
    ctx.set_materialize_grads(False)


_follow.register_autograd(lambda ctx, *grads: _follow_backward(*grads, *ctx.saved_tensors), setup_context=_keep)


class _Match(torch.autograd.Function):
    """Keys (N, H, W) against slots (N, S, W), divided by the norms of the slots: (N, H, S)."""

    @staticmethod
    def forward(ctx: Any, memory: Tensor, keys: Tensor) -> Tensor:
        scales = (torch.linalg.vector_norm(memory, dim=-1).square() + EPSILON).rsqrt().unsqueeze(1)
        scores = (keys @ memory.mT).mul_(scales)
        ctx.save_for_backward(memory, keys, scales, scores)
        return scores

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        memory, keys, scales, scores = ctx.saved_tensors
        shrink = (grad * scores).sum(1, keepdim=True).mul_(scales.square())
        products = grad * scales
        with full_precision(grad.device):  # as the forward pass was
            memory_grad = (products.mT @ keys).addcmul_(shrink.mT, memory, value=-1)
            return memory_grad, products @ memory


def follow_links(
    previous: Tensor, precedence: Tensor, write_weights: Tensor, read_weights: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Which slot was written after which, and what was written after and before what was read.

    Graves 2016, temporal memory linkage: L[i, j] is how much slot i was written right after slot j; f and b.

    Args:
        previous: (N, S, S), links of the last step.
        precedence: (N, S), of the last step.
        write_weights: (N, S), of this step.
        read_weights: (N, H, S), of the last step.

    Returns:
        links (N, S, S), rows and columns of sum <= 1, zero on the diagonal; forward weights (N, H, S); backward weights
        (N, H, S), >= 0, of sum <= 1. Differentiable once.
    """
    links, forward, backward = _follow(previous, precedence, write_weights, read_weights)
    return links, forward.clamp(min=0), backward.clamp(min=0)


def match_slots(memory: Tensor, keys: Tensor, strengths: Tensor) -> Tensor:
    """`memory.addressing.content_weights` without masks, the same up to rounding. Differentiable once."""
    lengths = (keys.square().sum(-1) + EPSILON).rsqrt()
    return torch.softmax(_Match.apply(memory, keys * (strengths * lengths).unsqueeze(-1)), -1)
