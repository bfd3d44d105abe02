"""Association: hops of recall without a softmax, so that a chain of them is a polynomial of what was written.

Memory networks that start without a softmax leave plateaus on which those with one stay (Sukhbaatar et al. 2015,
section 5, "linear start"): with a softmax, no gradient shows the chain that another first choice would have started.
Here there is no softmax at all, beside the hops of `memory.episodic`, which have one. A chain of linear recalls is also
a tensor-product memory (Schlag & Schmidhuber 2018).

A linear recall cannot ask for two things at once: a slot that has both is worth no more than two slots that have one
each. "The line that names both this room and that one" is such a question (bAbI's tasks 17 and 19). So there are two
chains. One multiplies two similarities at each hop: to what was recalled so far, and to the query. The other stays
linear: in task 16, where later lines share nothing with the question, the product does harm.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SCALE = 0.1
"""Standard deviation of the maps at first. One word in common with a slot then makes a product of about one."""

LARGEST = 4.0
"""Largest root mean square of an input; sums of words have about one. Products of larger ones would overflow."""


def bounded(x: Tensor, largest: float = LARGEST) -> Tensor:
    """(..., D) to the same, scaled down where its root mean square is over `largest`."""
    return x * (largest / (x.square().mean(-1, keepdim=True) + 1e-8).sqrt()).clamp(max=1)


class Association(nn.Module):
    """Two chains from a query x over the earlier steps x_i, and a read from all that they recalled.

    u_0 = M_0 x, r_k = s sum over i of (u_k . M_k x_i) c_ki M_{k+1} x_i, u_{k+1} = u_k + r_k, with maps M of its own for
    each chain; c_ki is 1 in the linear one, and 1 + (A_k x) . (B_k x_i) in the other; s is one over the number of
    earlier steps, or a constant. The read is V u_K of the linear chain, plus gelu(W [u_0, r_0, r_1, ...] + b) of the
    other.

    What one hop recalls, the next one asks with: the maps M are tied as in Sukhbaatar et al. 2015, section 2.2,
    "adjacent". There is no norm and no gate: a gate learns to close while the chain's reads are still random, and a
    norm hides how much was recalled. B is zero at first, so that both chains start as linear ones.

    Args:
        input_size: width of what is written and asked.
        width: of u.
        hops: of a chain.
        read_size: width of the read.
        share: s, the part that each earlier step has in a recall; 0 for their mean. A mean is as large for a long story
            as for a short one, but steps in which nothing is shown make it smaller: what was learned with a short
            delay fails after a long one. A constant share makes it no smaller, and what such steps recall adds up.
    """

    def __init__(self, input_size: int, width: int, hops: int, read_size: int, share: float = 0.0) -> None:
        super().__init__()
        self.width, self.hops, self.share = width, hops, share
        self.maps = nn.Parameter(SCALE * torch.randn(2 * (hops + 1), input_size, width))
        self.asks = nn.Parameter(SCALE * torch.randn(hops, input_size, width))
        self.marks = nn.Parameter(torch.zeros(hops, input_size, width))
        self.linear = nn.Linear(width, read_size, bias=False)
        self.product = nn.Linear((hops + 1) * width, read_size)

    @property
    def written_maps(self) -> int:
        """Number of vectors of `width` that are written for each step."""
        return 3 * self.hops + 2

    def project(self, x: Tensor) -> Tensor:
        """What is stored: (N, T, input_size) to (N, 3 hops + 2, T, width), all M x, chain by chain, and all B x."""
        return mapped(bounded(x), torch.cat([self.maps, self.marks]))

    def forward(self, asking: Tensor, written: Tensor, earlier: Tensor) -> Tensor:
        """The read of the chains.

        Args:
            asking: (N, Q, input_size), queries.
            written: (N, 3 hops + 2, S, width), from `project`.
            earlier: (N or 1, Q, S) bool, the slots that each may recall.

        Returns:
            (N, Q, read_size).
        """
        asking, links = bounded(asking), self.hops + 1
        first, second, marks = written.split([links, links, self.hops], 1)
        share = earlier.to(asking.dtype)
        share = (share * self.share if self.share else share / share.sum(-1, keepdim=True).clamp(min=1))[:, None]
        named = 1 + mapped(asking, self.asks) @ marks.mT
        linear = chain(asking @ self.maps[0], first, share.expand_as(named))
        product = chain(asking @ self.maps[links], second, share * named)
        return self.linear(sum(linear)) + F.gelu(self.product(torch.cat(product, -1)))


def mapped(x: Tensor, maps: Tensor) -> Tensor:
    """(N, T, D) by maps (K, D, width) to (N, K, T, width): one product of matrices, not N K small ones."""
    return (x @ maps.transpose(0, 1).flatten(1)).unflatten(-1, (len(maps), -1)).transpose(1, 2)


def chain(u: Tensor, slots: Tensor, among: Tensor) -> list[Tensor]:
    """What each hop recalls: [u_0, r_0, r_1, ...], each (N, Q, width).

    Args:
        u: (N, Q, width), u_0.
        slots: (N, hops + 1, S, width), all M x_i.
        among: (N, hops, Q, S), the slots' shares times c.
    """
    links = [u]
    for hop in range(among.shape[1]):
        links.append((u @ slots[:, hop].mT * among[:, hop]) @ slots[:, hop + 1])
        u = u + links[-1]
    return links
