"""Modern Hopfield memory: association in one step (Ramsauer et al. 2021, "Hopfield Networks is All You Need").

Stored patterns X are wells of an energy over continuous states, and one step down from a query is one step of
attention: the new state is softmax(beta X query) X. A large beta gives the nearest pattern, a small one an average
of many. Exponentially many patterns can be told apart, where the classical network, whose weights are a sum of
outer products, holds 0.14 d (Hopfield 1982; Amit et al. 1985).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from memory import ring
from memory.base import Memory, MemoryState


def energy(state: Tensor, patterns: Tensor, beta: float) -> Tensor:
    """E = -lse(beta, X xi) + xi . xi / 2 + log(M) / beta + m² / 2 (Ramsauer et al. 2021, eq. 2).

    Args:
        state: (..., Q, d) states xi.
        patterns: (..., M, d) stored patterns X, one a row; m is the largest of their norms.
        beta: inverse temperature, positive.

    Returns:
        (..., Q), in [0, 2 m²] for states no longer than m. No update of `retrieve` raises it.
    """
    lse = torch.logsumexp(beta * state @ patterns.mT, dim=-1) / beta
    longest = patterns.square().sum(-1).amax(-1, keepdim=True)
    return -lse + (state.square().sum(-1) + longest) / 2 + math.log(patterns.shape[-2]) / beta


def retrieve(
    query: Tensor, patterns: Tensor, beta: float, updates: int = 1, hidden: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """xi <- softmax(beta X xi) X (Ramsauer et al. 2021, eq. 3), from xi = query.

    Args:
        query: (..., Q, d).
        patterns: (..., M, d), stored patterns X, one a row.
        beta: inverse temperature, positive.
        updates: times that the rule is applied, at least 1.
        hidden: (..., Q, M) bool, patterns that a query cannot see; one that sees none retrieves zeros.

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
    """Every input is stored as a pattern, and asks for the patterns stored before it.

    It asks before it is stored: otherwise the nearest pattern would be the input itself. The first step of an
    episode reads zeros. Query and pattern are linear in the input and normalised (section 3 of the paper), and
    begin as the same map, so that an input first recalls what resembles it.

    The state is {"patterns": (N, slots, width), "time": (N,) int64, steps since the episode began, "read": (N, 1,
    slots), the last weights}. Slots are used in turn, and the oldest is overwritten.

    Args:
        input_size: size of what comes in at a step.
        slots: patterns that can be kept. `unroll` is fastest where it is no more than the longest episode.
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
        self, input: Tensor, state: MemoryState, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """One step: asks, then stores.

        Args:
            input: (N, input_size).
            state: of the step before.
            episode_start: (N,) bool, the rows to forget first.

        Returns:
            read (N, width), and the state.

        Raises:
            ValueError: where a shape does not fit.
        """
        state = self.begin(input, state, episode_start)
        time, patterns = state["time"], state["patterns"]
        unseen = ring.hidden(ring.slot_ages(time - 1, self.slots), time - 1, self.slots)[:, None]
        read, weights = retrieve(self.query(input)[:, None], patterns, self.beta, self.updates, unseen)
        here = ring.slot_ages(time, self.slots)[..., None] == 0
        patterns = torch.where(here, self.pattern(input)[:, None], patterns)
        return read[:, 0], {"patterns": patterns, "time": time + 1, "read": weights}

    def unroll(
        self, inputs: Tensor, state: MemoryState | None = None, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """Many steps at once, without a loop over time: the same numbers as one `forward` after the other.

        Args:
            inputs: (T, N, input_size).
            state: of the step before. None, for fresh rows, saves looking for older patterns; so does a fresh state
                on the CPU, where looking at it costs nothing.
            episode_start: (T, N) bool, the steps that begin an episode.

        Returns:
            reads (T, N, width), and the state after the last step.

        Raises:
            ValueError: where a shape does not fit.
        """
        steps, n = inputs.shape[:2]
        old = ring.begin(inputs, state, episode_start, self.input_size)
        before = old.get("time")
        time = ring.step_times(steps, before, episode_start, inputs.device)
        age = ring.recalled_ages(steps, before, self.slots, inputs.device)
        new = self.pattern(inputs.transpose(0, 1))
        patterns = torch.cat([old["patterns"], new], 1) if old else new
        unseen = ring.hidden(age - 1, time - 1, self.slots)
        read, weights = retrieve(self.query(inputs.transpose(0, 1)), patterns, self.beta, self.updates, unseen)
        last = time[:, -1].expand(n)
        started = None if episode_start is None else episode_start.any(0)
        return read.transpose(0, 1), {
            "patterns": ring.fill(new, old.get("patterns"), last, started, self.slots),
            "time": last + 1,
            "read": ring.by_slot(weights[:, None, -1:], time, bool(old), self.slots)[:, :, 0],
        }

    def weights(self, state: MemoryState) -> dict[str, Tensor]:
        """What the last step did.

        Returns:
            "read" (N, 1, slots), of sum 1 over the slots, or 0 where nothing had been stored; "write" (N, slots), 1
            at the slot that was written.
        """
        return {"read": state["read"], "write": ring.last_written(state["time"], self.slots).to(state["read"])}
