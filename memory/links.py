"""The two costly steps of the DNC with gradients written by hand: the same numbers in far fewer passes over memory.

Left to autograd, the link matrix of (N, S, S) costs about thirty passes a step, most of them over fresh memory; here
it costs a third, and only the links themselves are kept for the way back. The heads are rows on the left of every
product: a thin matrix on the right takes a BLAS five times as long.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _Follow(torch.autograd.Function):
    """L_t = (1 - w_i - w_j) L_{t-1} + w_i p_j, diagonal zero; f = r L_tᵀ; b = r L_t."""

    @staticmethod
    def forward(ctx: Any, previous: Tensor, precedence: Tensor, write: Tensor, read: Tensor) -> tuple[Tensor, ...]:
        links = torch.sub((1 - write).unsqueeze(2), write.unsqueeze(1)).mul_(previous)
        links.addcmul_(write.unsqueeze(2), precedence.unsqueeze(1))
        links.diagonal(dim1=1, dim2=2).zero_()
        ctx.save_for_backward(previous, precedence, write, read, links)
        ctx.set_materialize_grads(False)
        return links, read @ links.mT, read @ links

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, links_grad: Tensor | None, forward: Tensor | None, backward: Tensor | None) -> Any:
        previous, precedence, write, read, links = ctx.saved_tensors
        read_grad = None
        forward = torch.zeros_like(read) if forward is None else forward
        backward = torch.zeros_like(read) if backward is None else backward
        read_grad = forward @ links + backward @ links.mT
        left, right = torch.cat([forward, read], 1).mT, torch.cat([read, backward], 1)
        grad = left @ right if links_grad is None else torch.baddbmm(links_grad, left, right)
        grad.diagonal(dim1=1, dim2=2).zero_()

        row = write.unsqueeze(1)
        precedence_grad = (row @ grad).squeeze(1)
        scratch = grad * previous
        write_grad = (precedence.unsqueeze(1) @ grad.mT).squeeze(1) - scratch.sum(1) - scratch.sum(2)
        previous_grad = None
        if ctx.needs_input_grad[0]:
            previous_grad = grad.mul_(torch.sub((1 - write).unsqueeze(2), row, out=scratch))
        return previous_grad, precedence_grad, write_grad, read_grad


class _Write(torch.autograd.Function):
    """M_t = M_{t-1} (1 - w eᵀ) + w vᵀ, one head."""

    @staticmethod
    def forward(ctx: Any, memory: Tensor, write: Tensor, erase: Tensor, add: Tensor) -> Tensor:
        ctx.save_for_backward(memory, write, erase, add)
        change = torch.addcmul(add.unsqueeze(1), erase.unsqueeze(1), memory, value=-1)
        return change.mul_(write.unsqueeze(2)).add_(memory)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        memory, write, erase, add = ctx.saved_tensors
        row = write.unsqueeze(1)
        scratch = grad * memory
        erase_grad = -(row @ scratch).squeeze(1)
        add_grad = (row @ grad).squeeze(1)
        write_grad = (add.unsqueeze(1) @ grad.mT - erase.unsqueeze(1) @ scratch.mT).squeeze(1)
        memory_grad = None
        if ctx.needs_input_grad[0]:
            kept = torch.mul(write.unsqueeze(2), erase.unsqueeze(1), out=scratch)
            memory_grad = torch.addcmul(grad, kept, grad, value=-1)
        return memory_grad, write_grad, erase_grad, add_grad


def follow_links(
    previous: Tensor, precedence: Tensor, write_weights: Tensor, read_weights: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """`temporal_links`, `forward_weights` and `backward_weights` of `memory.addressing` in one.

    Args:
        previous: (N, S, S), links of the last step.
        precedence: (N, S), of the last step.
        write_weights: (N, S), of this step.
        read_weights: (N, H, S), of the last step.

    Returns:
        links (N, S, S), forward weights (N, H, S), backward weights (N, H, S). Differentiable once.
    """
    links, forward, backward = _Follow.apply(previous, precedence, write_weights, read_weights)
    return links, forward.clamp(min=0), backward.clamp(min=0)


def write_slots(memory: Tensor, write_weights: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """`erase_add` of `memory.addressing` for one head.

    Args:
        memory: (N, S, W).
        write_weights: (N, S).
        erase: (N, W) in [0, 1].
        add: (N, W).

    Returns:
        (N, S, W). Differentiable once.
    """
    return _Write.apply(memory, write_weights, erase, add)
