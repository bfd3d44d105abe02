"""What the lines of a hidden story may hold, given which words occur around the lines that were seen.

A blurred window tells which words its lines hold together. A sentence that has another word is none of its lines; and
a word that no other line of the window explains must be in the one that is left. Both are constraints between lines
and windows, and the beliefs that agree with them are found by passing messages between the two (belief propagation:
Pearl 1988, chapter 4; here the messages of a line are those of its present belief, as in mean field).

Shapes: N stories, L lines counted from the end of the story, B blurred windows, V words, K sentences that are known.
"""

from __future__ import annotations

import torch
from torch import Tensor

IMPOSSIBLE = -1e4
"""Log-probability of a sentence with a word that is not there."""

FLOOR = 1e-4
"""Least probability of a word, and of its absence: a constraint may be wrong by that much."""


def line_beliefs(
    first: Tensor,
    last: Tensor,
    words: Tensor,
    seen: Tensor,
    read: Tensor,
    exists: Tensor,
    known: Tensor,
    prior: Tensor,
    rounds: int = 2,
) -> Tensor:
    """Beliefs over the sentences that each line may be.

    Args:
        first: (N, B) int64, the line nearest to the end that each window covers.
        last: (N, B) int64, the line furthest from it; less than the first for a window of nothing. Windows may reach
            beyond the L lines, and are then used only to tell what is not there.
        words: (N, B, V) bool, the words of each window.
        seen: (N, L) bool, the lines that were seen.
        read: (N, L, V) float, 1 for each word of these.
        exists: (N, L) bool, the lines that there are.
        known: (K, V) float, 1 for each word of a sentence.
        prior: (K,) log-probabilities.
        rounds: of messages.

    Returns:
        (N, L, K), distributions; those of lines that were seen, or that there are not, mean nothing.
    """
    lines = seen.shape[1]
    place = torch.arange(lines, device=seen.device)
    inside = (place >= first[..., None]) & (place <= last[..., None])
    whole = last < lines
    absent = torch.zeros_like(read)
    for b in range(first.shape[1]):
        absent = torch.maximum(absent, (inside[:, b, :, None] & ~words[:, b, None]).to(read.dtype))
    logits = prior + IMPOSSIBLE * (absent @ known.T).clamp(max=1)
    belief = torch.softmax(logits, -1)
    end = last.clamp(max=lines - 1) + 1
    start = torch.minimum(first, end)
    for _ in range(rounds):
        present = torch.where(seen[..., None], read, belief @ known) * exists[..., None]
        without = torch.log1p(-present.clamp(max=1 - FLOOR))
        total = torch.cat([torch.zeros_like(without[:, :1]), without.cumsum(1)], 1)
        lacking = torch.zeros_like(read)
        for b in range(first.shape[1]):
            nowhere = _row(total, end[:, b]) - _row(total, start[:, b])
            explained = -torch.expm1((nowhere[:, None] - without).clamp(max=0))
            here = (inside[:, b] & whole[:, b, None])[..., None] & words[:, b, None]
            lacking = lacking + torch.where(here, torch.log(explained + FLOOR), 0.0)
        # what a sentence pays for the words that it lacks
        belief = torch.softmax(logits + lacking.sum(-1, keepdim=True) - lacking @ known.T, -1)
    return belief


def _row(table: Tensor, index: Tensor) -> Tensor:
    """(N, V), row `index` (N,) of each of `table` (N, L + 1, V)."""
    return table.gather(1, index[:, None, None].expand(-1, 1, table.shape[2]))[:, 0]
