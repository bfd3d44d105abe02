"""Modern Hopfield memory: association in one step (Ramsauer et al. 2021, "Hopfield Networks is All You Need").

Stored patterns X are minima of an energy over continuous states. One update from a query is one step of attention: the
new state is softmax(beta X query) X. A large beta gives the nearest pattern, a small one an average of many. The number
of patterns that can be retrieved grows exponentially with d. The classical network, whose weights are a sum of outer
products, holds 0.14 d (Hopfield 1982; Amit et al. 1985).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from memory import ring
from memory.base import Memory, MemoryState, Watch
from memory.precision import full_precision


def retrieve(
    query: Tensor, patterns: Tensor, beta: float, updates: int = 1, hidden: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """xi <- softmax(beta X xi) X (Ramsauer et al. 2021, eq. 3), from xi = query.

    Args:
        query: (..., Q, d).
        patterns: (..., M, d), stored patterns X, one a row.
        beta: inverse temperature, positive.
        updates: times that the rule is applied, at least 1.
        hidden: (..., Q, M) bool, patterns that are hidden from a query; where all are, it retrieves zeros.

    Returns:
        the state (..., Q, d), and the last weights (..., Q, M), of sum 1.
    """
    for _ in range(updates):
        scores = beta * query @ patterns.mT
        if hidden is None:
            weights = scores.softmax(-1)
        else:
            # Not -inf: a row of -inf has no softmax, and its gradient would be NaN.
            weights = scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(hidden, 0)
        query = weights @ patterns
    return query, weights


class Hopfield(Memory):
    """Every write is stored as a pattern; a query retrieves from the patterns that were stored before.

    A step asks before it stores: otherwise the nearest pattern would be the one just written. The first step of an
    episode reads zeros. Patterns are a linear map of the write and queries one of the query, both normalised (section 3
    of the paper). Both maps are the same before training, so that a query first retrieves what resembles it.

    The state is {"patterns": (N, slots, width), "time": (N,) int64, steps since the episode began, "read": (N, 1,
    slots), the last weights}. Slots are used in turn, and the oldest is overwritten.

    Args:
        input_size: size of what comes in at a step.
        slots: patterns that can be stored.
        width: size of a pattern, and of what is read.
        beta: inverse temperature; None for 1 / sqrt(width), the paper's, as in attention.
        updates: steps of the rule from the query to what is read.

    Raises:
        ValueError: for sizes or updates below one, or a beta that is not positive.
    """

    def __init__(
        self, input_size: int, *, slots: int = 256, width: int = 128, beta: float | None = None, updates: int = 1
    ) -> None:
        super().__init__()
        if min(input_size, slots, width, updates) < 1:
            raise ValueError(
                "input_size, slots, width and updates must be at least 1, got "
                f"{input_size}, {slots}, {width} and {updates}"
            )
        self.beta = width**-0.5 if beta is None else beta
        if not self.beta > 0:
            raise ValueError(f"beta must be positive, got {beta}")
        self.input_size, self.read_size, self.slots, self.updates = input_size, width, slots, updates
        self.pattern = nn.Sequential(nn.Linear(input_size, width), nn.LayerNorm(width))
        self.query = nn.Sequential(nn.Linear(input_size, width), nn.LayerNorm(width))
        self.query.load_state_dict(self.pattern.state_dict())

    def initial_state(self, batch: int) -> MemoryState:
        """Nothing stored yet."""
        like = next(self.parameters())
        return {
            "patterns": like.new_zeros(batch, self.slots, self.read_size),
            "time": torch.zeros(batch, dtype=torch.int64, device=like.device),
            "read": like.new_zeros(batch, 1, self.slots),
        }

    def forward(
        self, write: Tensor, query: Tensor, state: MemoryState, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """One step: asks, then stores; see `Memory.forward`."""
        state = self.begin(write, query, state, episode_start)
        time, patterns = state["time"], state["patterns"]
        unseen = ring.hidden(ring.slot_ages(time - 1, self.slots), time - 1, self.slots)[:, None]
        read, weights = self._retrieve(self.query(query)[:, None], patterns, unseen)
        patterns = ring.put(patterns, self.pattern(write)[:, None], ring.slot_ages(time, self.slots))
        return read[:, 0], {"patterns": patterns, "time": time + 1, "read": weights}

    def read_episodes(self, writes: Tensor, queries: Tensor, steps: Tensor | None = None) -> Tensor:
        """All steps of whole fresh episodes at once, without a loop over time; see `Memory.read_episodes`."""
        self.check_steps(writes, queries, None, None)
        time, age = ring.episode_ages(writes)
        unseen, patterns = ring.hidden(age - 1, time - 1, self.slots), self.pattern(writes.transpose(0, 1))
        read, _ = self._retrieve(self.query(queries.transpose(0, 1)), patterns, unseen)
        return (read if steps is None else ring.at_steps(read, steps)).transpose(0, 1)

    def _retrieve(self, query: Tensor, patterns: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """As `retrieve`; autocast leaves it alone, since a large beta tells patterns apart that are almost alike."""
        dtype = next(self.parameters()).dtype
        with full_precision(query.device):
            return retrieve(query.to(dtype), patterns.to(dtype), self.beta, self.updates, hidden)

    def watch(self, state: MemoryState) -> Watch:
        """All of `Watch` but a gate: `read` is 0 where nothing had been stored, `contents` are the patterns."""
        return Watch(
            read=state["read"],
            write=ring.last_written(state["time"], self.slots).to(state["read"]),
            contents=state["patterns"],
            step=ring.stored_steps(state["time"], self.slots),
        )
