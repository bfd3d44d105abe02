"""Attention blocks over slots: keys, values and queries, the recall and the feedforward net after it, hop by hop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memory.ring import at_steps

TIMES = ("none", "age", "relative")
"""How the age of a slot may change attention; see `AttentionBlock`."""

EXACT_AGES = 32
"""Ages below this have a bucket each; each octave of older ages has four."""

BUCKETS = EXACT_AGES + 4 * 5
"""Number of buckets; the last is for all ages from 862 on. The same for any number of slots, so that weights fit."""

OWN_SLOT = -5.0
"""Bias of age 0 at first, where a block begins by likeness."""


def age_buckets(slots: int) -> Tensor:
    """The bucket of each age: exact for small ages, logarithmic for large ones (as in Raffel et al. 2020, section 2.1).

    Returns:
        (slots,) int64 in [0, BUCKETS - 1], in ascending order.
    """
    age = torch.arange(slots)
    octaves = torch.log2(age.clamp(min=EXACT_AGES) / EXACT_AGES)
    return torch.where(age < EXACT_AGES, age, EXACT_AGES + (4 * octaves).long()).clamp(max=BUCKETS - 1)


def recall_weights(query: Tensor, keys: Tensor, log_gate: Tensor, offset: Tensor) -> Tensor:
    """softmax(q . k / sqrt(d) + log gate + offset) over the slots.

    Args:
        query: (N, heads, Q, d).
        keys: (N, heads, M, d).
        log_gate: (N, M, 1).
        offset: broadcasts to (N, heads, Q, M): age bias, -inf where there is nothing to recall.

    Returns:
        (N, heads, Q, M), of sum 1.
    """
    # the gate is one more dimension of the keys: this saves a pass over (N, heads, Q, M), which is large
    query = torch.cat([query * query.shape[-1] ** -0.5, torch.ones_like(query[..., :1])], dim=-1)
    keys = torch.cat([keys, log_gate[:, None].expand(*keys.shape[:3], 1)], dim=-1)
    return torch.softmax((query @ keys.mT).add_(offset), dim=-1, dtype=log_gate.dtype)


class AttentionBlock(nn.Module):
    """Multi-head attention over slots, then a position-wise feedforward net, both with a residual connection.

    Layer normalisation comes first in both (pre-norm).

    Args:
        width: size of the residual stream.
        heads: heads of attention; divides `width`.
        feedforward: width of the feedforward net in multiples of `width`; 0 for none.
        dropout: rate on what attention and feedforward net add.
        time: what the age of a slot, in steps, changes. "none": nothing. "age": a learned bias per head. "relative":
            also a learned key and value (Shaw et al. 2018, eqs. 3 and 4), so that a query can ask for an age and a
            read can tell it.
        alike: how sharply a step recalls at first those that are like it: queries and keys begin as one map, this many
            times as large as usual, and its own slot, the most alike of all, is left out at first (where `time` is not
            "none"). 0: they begin as two maps of their own, which know nothing of likeness.
    """

    tables_of_vectors = True  # its own parameters are vectors of ages, no matrices: an optimizer may ask

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float, time: str, alike: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.age_bias = nn.Parameter(torch.zeros(BUCKETS, heads)) if time != "none" else None
        self.age_key = self.age_value = None
        if time == "relative":
            self.age_key = nn.Parameter(torch.randn(BUCKETS, width // heads) * (heads / width) ** 0.5)
            self.age_value = nn.Parameter(torch.randn(BUCKETS, width // heads) * (heads / width) ** 0.5)
        if alike:
            with torch.no_grad():
                query, key, _ = self.query_key_value.weight.chunk(3)
                key.copy_(query.mul_(alike))
                if self.age_bias is not None:
                    self.age_bias[0] = OWN_SLOT
        self.feedforward: nn.Module | None = None
        if feedforward:
            self.feedforward = nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, feedforward * width),
                nn.GELU(),
                nn.Linear(feedforward * width, width),
                nn.Dropout(dropout),
            )

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, Q, width) to query, key and value, each (N, heads, Q, width / heads)."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.query_key_value(self.norm(x)).chunk(3, dim=-1)
        )
        return query, key, value

    def recall(
        self, x: Tensor, query: Tensor, keys: Tensor, values: Tensor, log_gate: Tensor, offset: Tensor, bucket: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The block's output: attention from `query` to the slots, added to x, then the feedforward net.

        Args:
            x: (N, Q, width).
            query: (N, heads, Q, d).
            keys: (N, heads, M, d).
            values: (N, heads, M, d).
            log_gate: (N, M, 1), of the slots.
            offset: (N or 1, 1, Q, M), 0, or -inf where there is nothing to recall.
            bucket: (N or 1, Q, M) int64, buckets of the ages.

        Returns:
            (N, Q, width), and the weights (N, heads, Q, M).
        """
        if self.age_bias is not None:
            offset = offset + F.embedding(bucket, self.age_bias).permute(0, 3, 1, 2)
        if self.age_key is None or self.age_value is None:
            weights = recall_weights(query, keys, log_gate, offset)
            read = weights @ values
        else:
            index = bucket[:, None].expand(*query.shape[:3], -1)
            by_bucket = query @ self.age_key.mT * query.shape[-1] ** -0.5
            weights = recall_weights(query, keys, log_gate, offset + by_bucket.gather(-1, index))
            of_bucket = torch.zeros_like(by_bucket, dtype=weights.dtype).scatter_add(-1, index, weights)
            read = weights @ values + of_bucket @ self.age_value
        x = x + self.dropout(self.output(read.transpose(1, 2).flatten(-2)))
        if self.feedforward is not None:
            x = x + self.feedforward(x)
        return x, weights


def recall_in_hops(
    blocks: nn.ModuleList,
    embedding: Tensor,
    x: Tensor,
    y: Tensor,
    slots: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]],
    log_gate: Tensor,
    offset: Tensor,
    bucket: Tensor,
    steps: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """All hops of T steps over M slots; log_gate, offset and bucket as in `AttentionBlock.recall`.

    Args:
        blocks: taken in turn.
        embedding: (hops, width), added at the start of each hop.
        x: (N, T, width), the write stream.
        y: (N, T, width), the query stream; the same tensor object where there is one stream.
        slots: gives the keys and values of a hop's M slots from those that it writes, (N, heads, T, d).
        steps: (Q, N) int64, the steps whose result is wanted; None for all.

    Returns:
        the query stream (N, Q or T, width), and of each hop the weights (N, 1, M) of the last of these steps.
    """
    one, reads = y is x, []
    for hop in range(len(embedding)):
        block: Any = blocks[hop % len(blocks)]
        last = hop == len(embedding) - 1
        x = x + embedding[hop]
        query, key, value = block.project(x)
        keys, values = slots(key, value, hop)
        if one:
            y = x
        else:
            if not last:
                x, _ = block.recall(x, query, keys, values, log_gate, offset, bucket)
            y = y + embedding[hop]
            query, _, _ = block.project(y)
        if last and steps is not None:
            y, query = at_steps(y, steps), at_steps(query.transpose(1, 2), steps).transpose(1, 2)
            offset, bucket = at_steps(offset[:, 0], steps)[:, None], at_steps(bucket, steps)
        y, weights = block.recall(y, query, keys, values, log_gate, offset, bucket)
        x = y if one else x
        reads.append(weights[:, :, -1:].mean(1))
    return y, reads
