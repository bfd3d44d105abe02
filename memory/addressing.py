"""How the slots of a memory are addressed: the formulas of the NTM and the DNC, batched.

Graves, Wayne & Danihelka 2014 (Neural Turing Machines, sections 3.1-3.3, equation numbers below); Graves et al. 2016
(Hybrid computing using a neural network with dynamic external memory, Methods, by the name of the paragraph); Csordás &
Schmidhuber 2019 (Improving differentiable neural computers, sections 3.1-3.3).

Shapes: N rows of the batch, S slots, W the width of a slot, H heads. Nothing here waits for a device. `memory.links`
has the formulas that need gradients written by hand to be fast.
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-6
"""Keeps norms, logarithms and quotients finite."""


class Interface(nn.Linear):
    """A linear map to the parameters of all heads: of those that read from the query, of the others from the write.

    Args:
        input_size: width of what is written, and of what is asked.
        sizes: of each parameter by its name, for the heads that read and for those that write.
    """

    from_query: Tensor

    def __init__(self, input_size: int, sizes: dict[str, tuple[int, int]]) -> None:
        super().__init__(input_size, sum(map(sum, sizes.values())))
        self.sizes = {name: sum(size) for name, size in sizes.items()}
        halves = torch.tensor([[True, False]] * len(sizes)).flatten()
        mask = halves.repeat_interleave(torch.tensor(list(sizes.values())).flatten())
        self.register_buffer("from_query", mask, persistent=False)

    def forward(self, write: Tensor, query: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        """Each parameter, (N, its size), of writes and queries (N, input_size); the same object makes one product."""
        vector = super().forward(write)
        if query is not write:
            vector = torch.where(self.from_query, super().forward(query), vector)
        return self.parts(vector)

    def parts(self, vector: Tensor) -> dict[str, Tensor]:
        """The parameters in a vector (..., sum of the sizes), by their names."""
        return dict(zip(self.sizes, vector.split(list(self.sizes.values()), -1), strict=True))


def oneplus(x: Tensor) -> Tensor:
    """1 + log(1 + e^x), in [1, inf) (Graves 2016, Methods, notation)."""
    return 1 + F.softplus(x)


def content_weights(memory: Tensor, keys: Tensor, strengths: Tensor, masks: Tensor | None = None) -> Tensor:
    """Slots by the cosine of each with a key, (N, H, S), each a distribution over the slots (Graves 2014, eq. 5, 6).

    Also Graves 2016, content-based addressing. The cosine is 0 for a key or a slot of zeros.

    Args:
        memory: (N, S, W).
        keys: (N, H, W).
        strengths: (N, H), beta >= 0.
        masks: (N, H, W) in [0, 1]: what of key and slot is compared (Csordás 2019, section 3.1); None for all of it.
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
    cosine = (keys * (lengths + EPSILON).rsqrt()) @ memory.mT * (norms + EPSILON).rsqrt()
    return torch.softmax(cosine * strengths.unsqueeze(-1), -1)


def interpolate(content: Tensor, previous: Tensor, gate: Tensor) -> Tensor:
    """From the last step's weights (gate 0) to content weights (gate 1): (N, H, S) by (N, H) (Graves 2014, eq. 7)."""
    return torch.lerp(previous, content, gate.unsqueeze(-1))


def shift(weights: Tensor, kernel: Tensor) -> Tensor:
    """Circular convolution of weights (N, H, S) with a distribution over shifts (Graves 2014, eq. 8).

    Args:
        weights: (N, H, S).
        kernel: (N, H, 2k + 1), the probabilities of moving by -k .. k slots; 2k + 1 <= S.
    """
    reach, slots = kernel.shape[-1] // 2, weights.shape[-1]
    if not reach:
        return weights * kernel
    around = torch.cat([weights[..., -reach:], weights, weights[..., :reach]], -1)
    windows = around.unfold(-1, slots, 1)
    return (windows * kernel.flip(-1).unsqueeze(-1)).sum(-2)


def sharpen(weights: Tensor, exponent: Tensor) -> Tensor:
    """w^gamma, normalised, (N, H, S) by (N, H), gamma >= 1; zeros where the weights are (nearly) all zero.

    Graves 2014, eq. 9; Csordás 2019, section 3.3, for link distributions.
    """
    # the quotient does not depend on the scale; without it high powers of small numbers would all be zero
    largest = weights.detach().amax(-1, keepdim=True)
    powers = (weights / (largest + EPSILON)).pow(exponent.unsqueeze(-1))
    return powers / (powers.sum(-1, keepdim=True) + EPSILON)


def retention(read_weights: Tensor, free_gates: Tensor) -> Tensor:
    """How much of each slot no head frees, (N, S) in [0, 1], from the last step's weights (N, H, S) and gates (N, H).

    Graves 2016, dynamic memory allocation: psi.
    """
    return reduce(torch.mul, (1 - free_gates.unsqueeze(-1) * read_weights).unbind(1))


def usage(previous: Tensor, write_weights: Tensor, retained: Tensor) -> Tensor:
    """How much each slot is in use, (N, S) in [0, 1], from usage and writing of the last step and `retention`, (N, S).

    Graves 2016, dynamic memory allocation: u.
    """
    return (previous + write_weights - previous * write_weights) * retained


def allocation(used: Tensor) -> Tensor:
    """Free slots first: the free list by sorting, then a cumulative product (Graves 2016, eq. 1: a).

    The order of the slots is not differentiated, as in the paper; slots of equal usage stay in order.

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
    """Where to write, (N, S) of sum <= 1: a free slot, one of similar content, or none (Graves 2016, write weighting).

    Args:
        content: (N, S).
        allocated: (N, S).
        allocation_gate: (N, 1) in [0, 1]; 1 is allocation alone.
        write_gate: (N, 1) in [0, 1]; 0 writes nothing.
    """
    return write_gate * torch.lerp(content, allocated, allocation_gate)


def precedence(previous: Tensor, write_weights: Tensor) -> Tensor:
    """How much each slot was the last one written, (N, S) of sum <= 1 (Graves 2016, temporal memory linkage: p)."""
    return (1 - write_weights.sum(-1, keepdim=True)) * previous + write_weights


def read_weights(backward: Tensor, content: Tensor, forward: Tensor, modes: Tensor) -> Tensor:
    """The mixture (N, H, S) of three ways to read by modes (N, H, 3), distributions (Graves 2016, read weighting)."""
    before, similar, after = modes.unsqueeze(-1).unbind(-2)
    return before * backward + similar * content + after * forward


def erase_add(memory: Tensor, weights: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """Slots (N, S, W) after writing by weights (N, H, S): each head erases, in [0, 1], then each adds, (N, H, W).

    Graves 2014, eq. 3, 4.
    """
    kept = reduce(torch.mul, (1 - weights.unsqueeze(-1) * erase.unsqueeze(-2)).unbind(1))
    return memory * kept + weights.mT @ add
