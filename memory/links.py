"""The costly steps of the DNC with gradients written by hand: the same numbers in far fewer passes over memory.

Left to autograd, the link matrix of (N, S, S) costs dozens of passes a step, most of them over fresh memory. Here
only the links themselves are kept for the way back, work is done in place and, on a CPU, in blocks of the batch that
stay in the cache. Heads are rows on the left of every product: a thin matrix on the right takes a BLAS five times as
long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from memory.addressing import EPSILON

BLOCK = 2**18
"""Elements of links worked on at a time on a CPU: 1 MB of float32."""


def _blocks(links: Tensor) -> Iterator[slice]:
    rows, slots, _ = links.shape
    size = rows if links.is_cuda else max(1, BLOCK // slots**2)
    for begin in range(0, rows, size):
        yield slice(begin, min(begin + size, rows))


class _Follow(torch.autograd.Function):
    """L_t = (1 - w_i - w_j) L_{t-1} + w_i p_j, diagonal zero; f = r L_tᵀ; b = r L_t."""

    @staticmethod
    def forward(ctx: Any, previous: Tensor, precedence: Tensor, write: Tensor, read: Tensor) -> tuple[Tensor, ...]:
        read = read.contiguous()
        links = torch.empty_like(previous, memory_format=torch.contiguous_format)
        forward, backward = torch.empty_like(read), torch.empty_like(read)
        ctx.save_for_backward(previous, precedence, write, read, links)
        ctx.set_materialize_grads(False)
        kept, column, row, last = (1 - write).unsqueeze(2), write.unsqueeze(2), write.unsqueeze(1), precedence[:, None]
        for rows in _blocks(previous):
            block = torch.sub(kept[rows], row[rows], out=links[rows]).mul_(previous[rows])
            block.addcmul_(column[rows], last[rows]).diagonal(dim1=1, dim2=2).zero_()
            torch.bmm(read[rows], block.mT, out=forward[rows])
            torch.bmm(read[rows], block, out=backward[rows])
        return links, forward, backward

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, links_grad: Tensor | None, forward: Tensor | None, backward: Tensor | None) -> Any:
        previous, precedence, write, read, links = ctx.saved_tensors
        forward = torch.zeros_like(read) if forward is None else forward.contiguous()
        backward = torch.zeros_like(read) if backward is None else backward.contiguous()
        left, right = torch.cat([forward, read], 1).mT, torch.cat([read, backward], 1)
        kept, row, last = (1 - write).unsqueeze(2), write.unsqueeze(1), precedence.unsqueeze(1)
        previous_grad, read_grad = torch.empty_like(previous), torch.empty_like(read)
        write_grad, last_grad = torch.empty_like(row), torch.empty_like(last)
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
        row, scratch = write.unsqueeze(1), grad * memory
        erase_grad = -(row @ scratch).squeeze(1)
        add_grad = (row @ grad).squeeze(1)
        write_grad = (add.unsqueeze(1) @ grad.mT - erase.unsqueeze(1) @ scratch.mT).squeeze(1)
        erased = torch.mul(write.unsqueeze(2), erase.unsqueeze(1), out=scratch)
        return grad - erased.mul_(grad), write_grad, erase_grad, add_grad


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
        memory_grad = (products.mT @ keys).addcmul_(shrink.mT, memory, value=-1)
        return memory_grad, products @ memory


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


def match_slots(memory: Tensor, keys: Tensor, strengths: Tensor) -> Tensor:
    """`content_weights` of `memory.addressing` without masks.

    Args:
        memory: (N, S, W).
        keys: (N, H, W).
        strengths: (N, H), beta >= 0.

    Returns:
        (N, H, S), each a distribution over the slots. Differentiable once.
    """
    lengths = (keys.square().sum(-1) + EPSILON).rsqrt()
    return torch.softmax(_Match.apply(memory, keys * (strengths * lengths).unsqueeze(-1)), -1)
