"""What every memory can do: start, write and read, be watched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

MemoryState = dict[str, Tensor]
"""What a memory holds between steps: named tensors, the first dimension of each the batch."""


class Watch(NamedTuple):
    """What a memory did in the last step; None for what it does not have.

    Attributes:
        read: (N, heads or hops, slots) read weights, >= 0, of sum <= 1 over the slots.
        write: (N, slots) write weights in [0, 1], heads together.
        gate: (N, 1) in [0, 1], how much of the step was written.
        contents: (N, slots, width), what lies in the slots.
        step: (N, slots) int64, the number of the step that lies in each slot, -1 where there is none. None where a slot
            does not hold one step.
    """

    read: Tensor | None = None
    write: Tensor | None = None
    gate: Tensor | None = None
    contents: Tensor | None = None
    step: Tensor | None = None


def reset_rows(state: MemoryState, fresh: MemoryState, episode_start: Tensor) -> MemoryState:
    """The state with the rows where an episode starts taken from a fresh one.

    Args:
        state: tensors (N, ...).
        fresh: of the same names and shapes, from `Memory.initial_state`.
        episode_start: (N,) bool.

    Returns:
        A new state: `fresh` where `episode_start`, elsewhere `state`, bit for bit. No gradient crosses a reset.

    Raises:
        ValueError: where `episode_start` is not (N,) bool.
    """
    rows = next(iter(fresh.values())).shape[0] if fresh else episode_start.shape[0]
    if episode_start.dtype != torch.bool or episode_start.shape != (rows,):
        raise ValueError(
            f"episode_start must be ({rows},) bool, got {tuple(episode_start.shape)} {episode_start.dtype}; "
            "pass True for the rows whose episode starts with this step"
        )
    return {
        name: torch.where(episode_start.view(-1, *[1] * (value.dim() - 1)), fresh[name], value)
        for name, value in state.items()
    }


def check_rows(state: MemoryState, rows: int) -> None:
    """ValueError unless each tensor of the state has this many rows."""
    for name, value in state.items():
        if value.shape[0] != rows:
            raise ValueError(
                f"the state's {name!r} has {value.shape[0]} rows, the write {rows}: start with initial_state({rows})"
            )


class Memory(nn.Module, ABC):
    """A differentiable memory, batched; its state is passed in and out, nothing is hidden in `self`.

    A step takes what to write and what to ask apart. Where both are the same tensor object (`query is write`), one pass
    serves both. With two tensors, the same parameters map both.

    Attributes:
        input_size: width of what is written, and of what is asked.
        read_size: width of what is read.
    """

    input_size: int
    read_size: int

    @abstractmethod
    def initial_state(self, batch: int) -> MemoryState:
        """The state before the first step of `batch` episodes: a function of the parameters alone."""

    @abstractmethod
    def forward(
        self, write: Tensor, query: Tensor, state: MemoryState, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """One step: write and read.

        Args:
            write: (N, input_size) float, what is stored.
            query: (N, input_size) float, what is asked.
            state: from `initial_state`, or the last call's; not changed.
            episode_start: (N,) bool; the rows marked answer exactly as from `initial_state`.

        Returns:
            read (N, read_size) and the next state.

        Raises:
            ValueError: where a shape does not fit.
        """

    def begin(self, write: Tensor, query: Tensor, state: MemoryState, episode_start: Tensor | None) -> MemoryState:
        """What `forward` does first: refuse shapes that do not fit, and take the marked rows from a fresh state."""
        if write.dim() != 2 or write.shape[1] != self.input_size or query.shape != write.shape:
            raise ValueError(
                f"write and query must both be (N, {self.input_size}), got {tuple(write.shape)} and "
                f"{tuple(query.shape)}"
            )
        check_rows(state, write.shape[0])
        if episode_start is None:
            return state
        return reset_rows(state, self.initial_state(write.shape[0]), episode_start)

    def check_steps(
        self, writes: Tensor, queries: Tensor, state: MemoryState | None, episode_start: Tensor | None
    ) -> None:
        """What `unroll` does first: refuse shapes that do not fit."""
        if writes.dim() != 3 or writes.shape[2] != self.input_size or not len(writes) or queries.shape != writes.shape:
            raise ValueError(
                f"writes and queries must both be (T, N, {self.input_size}) with T >= 1, "
                f"got {tuple(writes.shape)} and {tuple(queries.shape)}"
            )
        if episode_start is not None and (episode_start.shape != writes.shape[:2] or episode_start.dtype != torch.bool):
            raise ValueError(
                f"episode_start must be {tuple(writes.shape[:2])} bool, "
                f"got {tuple(episode_start.shape)} {episode_start.dtype}"
            )
        check_rows(state or {}, writes.shape[1])

    def unroll(
        self, writes: Tensor, queries: Tensor, state: MemoryState | None = None, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """Several steps: the same numbers as `forward` one by one.

        Args:
            writes: (T, N, input_size) float, T >= 1.
            queries: (T, N, input_size) float; the same tensor object where each step asks with what it writes.
            state: as in `forward`; None for fresh rows.
            episode_start: (T, N) bool, or None.

        Returns:
            reads (T, N, read_size) and the state after the last step.

        Raises:
            ValueError: where a shape does not fit.
        """
        self.check_steps(writes, queries, state, episode_start)
        state = self.initial_state(writes.shape[1]) if state is None else state
        reads = []
        for time, write in enumerate(writes):
            query = write if queries is writes else queries[time]
            read, state = self(write, query, state, None if episode_start is None else episode_start[time])
            reads.append(read)
        return torch.stack(reads), state

    def read_episodes(self, writes: Tensor, queries: Tensor, steps: Tensor | None = None) -> Tensor:
        """Reads of whole fresh episodes, of which no state is kept.

        Args:
            writes: (T, N, input_size).
            queries: (T, N, input_size), as in `unroll`.
            steps: (Q, N) int64, the steps whose reads are wanted; None for all.

        Returns:
            (Q or T, N, read_size).

        Raises:
            ValueError: where a shape does not fit.
        """
        reads = self.unroll(writes, queries)[0]
        return reads if steps is None else reads.take_along_dim(steps[..., None], 0)

    def watch(self, state: MemoryState) -> Watch:
        """What the step did that led to this state."""
        return Watch()
