"""How a memory of slots is addressed: the formulas of the NTM and the DNC, batched.

Graves, Wayne & Danihelka 2014 (Neural Turing Machines, sections 3.1-3.3, equation numbers below); Graves et al. 2016
(Hybrid computing using a neural network with dynamic external memory, Methods, by the name of the paragraph); Csordás &
Schmidhuber 2019 (Improving differentiable neural computers, sections 3.1-3.3).

Shapes: N rows of the batch, S slots, W the width of a slot, H heads. Nothing here waits for a device.
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-6
"""Keeps norms, logarithms and quotients finite."""


def oneplus(x: Tensor) -> Tensor:
    """1 + log(1 + e^x), in [1, inf) (Graves 2016, Methods, notation)."""
    return 1 + F.softplus(x)


def cosine(keys: Tensor, memory: Tensor, masks: Tensor | None = None) -> Tensor:
    """Cosine of every key with every slot (Graves 2014, eq. 6).

    Args:
        keys: (N, H, W).
        memory: (N, S, W).
        masks: (N, H, W) in [0, 1]: what of key and slot is compared (Csordás 2019, section 3.1); all, where None.

    Returns:
        (N, H, S) in [-1, 1]; 0 for a key or slot of zeros.
    """
    if masks is None:
        norms = torch.linalg.vector_norm(memory, dim=-1).square().unsqueeze(1)
        lengths = keys.square().sum(-1, keepdim=True)
    else:
        # masking the key twice masks the slots without a copy of them for each head
        squares = masks.square()
        norms = squares @ memory.square().mT
        lengths = (squares * keys.square()).sum(-1, keepdim=True)
        keys = squares * keys
    return (keys * (lengths + EPSILON).rsqrt()) @ memory.mT * (norms + EPSILON).rsqrt()


def content_weights(memory: Tensor, keys: Tensor, strengths: Tensor, masks: Tensor | None = None) -> Tensor:
    """Slots by their likeness to a key (Graves 2014, eq. 5; Graves 2016, content-based addressing; Csordás 2019, 3.1).

    Args:
        memory: (N, S, W).
        keys: (N, H, W).
        strengths: (N, H), beta >= 0.
        masks: (N, H, W) in [0, 1], or None.

    Returns:
        (N, H, S), each a distribution over the slots.
    """
    return torch.softmax(cosine(keys, memory, masks) * strengths.unsqueeze(-1), -1)


def interpolate(content: Tensor, previous: Tensor, gate: Tensor) -> Tensor:
    """Between the content weights and the weights of the last step (Graves 2014, eq. 7).

    Args:
        content: (N, H, S).
        previous: (N, H, S).
        gate: (N, H) in [0, 1]; 1 is content alone.

    Returns:
        (N, H, S).
    """
    return torch.lerp(previous, content, gate.unsqueeze(-1))


def shift(weights: Tensor, kernel: Tensor) -> Tensor:
    """Circular convolution with a distribution over shifts (Graves 2014, eq. 8).

    Args:
        weights: (N, H, S).
        kernel: (N, H, 2k + 1), the probabilities of moving by -k .. k slots; 2k + 1 <= S.

    Returns:
        (N, H, S).
    """
    reach, slots = kernel.shape[-1] // 2, weights.shape[-1]
    if not reach:
        return weights * kernel
    around = torch.cat([weights[..., -reach:], weights, weights[..., :reach]], -1)
    windows = around.unfold(-1, slots, 1)
    return (windows * kernel.flip(-1).unsqueeze(-1)).sum(-2)


def sharpen(weights: Tensor, exponent: Tensor) -> Tensor:
    """w^gamma, normalised (Graves 2014, eq. 9; Csordás 2019, section 3.3 for link distributions).

    Args:
        weights: (N, H, S), >= 0.
        exponent: (N, H), gamma >= 1.

    Returns:
        (N, H, S), each a distribution, or zeros where the weights are (nearly) all zero.
    """
    # the quotient does not depend on the scale; without it high powers of small numbers would all be zero
    largest = weights.detach().amax(-1, keepdim=True)
    powers = (weights / (largest + EPSILON)).pow(exponent.unsqueeze(-1))
    return powers / (powers.sum(-1, keepdim=True) + EPSILON)


def retention(read_weights: Tensor, free_gates: Tensor) -> Tensor:
    """How much of each slot no head frees (Graves 2016, dynamic memory allocation: psi).

    Args:
        read_weights: (N, H, S), of the last step.
        free_gates: (N, H) in [0, 1].

    Returns:
        (N, S) in [0, 1].
    """
    return reduce(torch.mul, (1 - free_gates.unsqueeze(-1) * read_weights).unbind(1))


def usage(previous: Tensor, write_weights: Tensor, retained: Tensor) -> Tensor:
    """How much each slot is in use (Graves 2016, dynamic memory allocation: u).

    Args:
        previous: (N, S) in [0, 1].
        write_weights: (N, S), of the last step.
        retained: (N, S), from `retention`.

    Returns:
        (N, S) in [0, 1].
    """
    return (previous + write_weights - previous * write_weights) * retained


def allocation(used: Tensor) -> Tensor:
    """Free slots first: the free list by sorting, then a cumulative product (Graves 2016, eq. 1: a).

    The order of the slots is not differentiated, as in the paper; equally used slots stay in order.

    Args:
        used: (N, S) in [0, 1].

    Returns:
        (N, S), >= 0, of sum 1 - (product of the usage) <= 1.
    """
    ordered, order = torch.sort(EPSILON + (1 - EPSILON) * used, dim=-1, stable=True)
    # the exclusive product as a sum of logarithms: the gradient of cumprod asks the device whether there is a zero
    logarithms = ordered.log()
    free = (1 - ordered) * (logarithms.cumsum(-1) - logarithms).exp()
    return torch.zeros_like(free).scatter(-1, order, free)


def write_weights(content: Tensor, allocated: Tensor, allocation_gate: Tensor, write_gate: Tensor) -> Tensor:
    """Where to write: a free slot, or one of like content, or nowhere (Graves 2016, write weighting).

    Args:
        content: (N, S).
        allocated: (N, S).
        allocation_gate: (N, 1) in [0, 1].
        write_gate: (N, 1) in [0, 1]; 0 writes nothing.

    Returns:
        (N, S), >= 0, of sum <= 1.
    """
    return write_gate * torch.lerp(content, allocated, allocation_gate)


def precedence(previous: Tensor, write_weights: Tensor) -> Tensor:
    """How much each slot was the last one written (Graves 2016, temporal memory linkage: p).

    Args:
        previous: (N, S).
        write_weights: (N, S), of this step.

    Returns:
        (N, S), >= 0, of sum <= 1.
    """
    return (1 - write_weights.sum(-1, keepdim=True)) * previous + write_weights


def temporal_links(previous: Tensor, precedence: Tensor, write_weights: Tensor) -> Tensor:
    """How much slot i was written right after slot j (Graves 2016, temporal memory linkage: L[i, j]).

    `memory.links` has the same, with the reads along the links, for speed.

    Args:
        previous: (N, S, S).
        precedence: (N, S), of the last step.
        write_weights: (N, S), of this step.

    Returns:
        (N, S, S), rows and columns of sum <= 1, zero on the diagonal.
    """
    later, earlier = write_weights.unsqueeze(2), write_weights.unsqueeze(1)
    links = (1 - later - earlier) * previous + later * precedence.unsqueeze(1)
    return links * (1 - torch.eye(links.shape[-1], dtype=links.dtype, device=links.device))


def forward_weights(links: Tensor, read_weights: Tensor) -> Tensor:
    """What was written after what was read (Graves 2016, temporal memory linkage: f).

    Args:
        links: (N, S, S).
        read_weights: (N, H, S), of the last step.

    Returns:
        (N, H, S), >= 0, of sum <= 1.
    """
    return (read_weights @ links.mT).clamp(min=0)


def backward_weights(links: Tensor, read_weights: Tensor) -> Tensor:
    """What was written before what was read (Graves 2016, temporal memory linkage: b); as `forward_weights`."""
    return (read_weights @ links).clamp(min=0)


def read_weights(backward: Tensor, content: Tensor, forward: Tensor, modes: Tensor) -> Tensor:
    """A mixture of the three ways to read (Graves 2016, read weighting).

    Args:
        backward: (N, H, S).
        content: (N, H, S).
        forward: (N, H, S).
        modes: (N, H, 3), distributions over backward, content, forward.

    Returns:
        (N, H, S), >= 0, of sum <= 1.
    """
    before, alike, after = modes.unsqueeze(-1).unbind(-2)
    return before * backward + alike * content + after * forward


def erase_add(memory: Tensor, weights: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """Write: each head erases, then each adds (Graves 2014, eq. 3, 4; Graves 2016, memory writing).

    Args:
        memory: (N, S, W).
        weights: (N, H, S).
        erase: (N, H, W) in [0, 1].
        add: (N, H, W).

    Returns:
        (N, S, W).
    """
    kept = reduce(torch.mul, (1 - weights.unsqueeze(-1) * erase.unsqueeze(-2)).unbind(1))
    return memory * kept + weights.mT @ add
