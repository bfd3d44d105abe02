"""What every memory can do: begin, write and read, be watched."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

MemoryState = dict[str, Tensor]
"""What a memory holds between steps: named tensors, the first dimension of each the batch."""


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
            "pass True for the rows whose episode begins with this input"
        )
    return {
        name: torch.where(episode_start.view(-1, *[1] * (value.dim() - 1)), fresh[name], value)
        for name, value in state.items()
    }


def check_steps(inputs: Tensor, episode_start: Tensor | None, input_size: int) -> None:
    """Refuse what cannot be unrolled.

    Raises:
        ValueError: for inputs that are not (T, N, input_size), T >= 1, or an episode_start that is not (T, N) bool.
    """
    if inputs.dim() != 3 or inputs.shape[2] != input_size or not len(inputs):
        raise ValueError(f"inputs must be (T, N, {input_size}) with T >= 1, got {tuple(inputs.shape)}")
    if episode_start is not None and (episode_start.shape != inputs.shape[:2] or episode_start.dtype != torch.bool):
        raise ValueError(
            f"episode_start must be {tuple(inputs.shape[:2])} bool, "
            f"got {tuple(episode_start.shape)} {episode_start.dtype}"
        )


class Memory(nn.Module, ABC):
    """A differentiable memory, batched; its state is passed in and out, nothing is hidden in `self`.

    Attributes:
        input_size: width of what it is given.
        read_size: width of what it answers.
    """

    input_size: int
    read_size: int

    @abstractmethod
    def initial_state(self, batch: int) -> MemoryState:
        """The state before the first input of `batch` episodes: a function of the parameters alone."""

    @abstractmethod
    def forward(
        self, input: Tensor, state: MemoryState, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """One step: write and read.

        Args:
            input: (N, input_size) float.
            state: from `initial_state`, or the last call's; not changed.
            episode_start: (N,) bool; the rows marked answer exactly as from `initial_state`.

        Returns:
            read (N, read_size) and the next state.

        Raises:
            ValueError: where a shape does not fit.
        """

    def begin(self, input: Tensor, state: MemoryState, episode_start: Tensor | None) -> MemoryState:
        """What `forward` does first: check the shapes, and take the marked rows from a fresh state.

        Raises:
            ValueError: where a shape does not fit.
        """
        if input.dim() != 2 or input.shape[1] != self.input_size:
            raise ValueError(f"input must be (N, {self.input_size}), got {tuple(input.shape)}")
        for name, value in state.items():
            if value.shape[0] != input.shape[0]:
                raise ValueError(
                    f"the state's {name!r} has {value.shape[0]} rows, the input {input.shape[0]}: "
                    f"begin with initial_state({input.shape[0]})"
                )
        if episode_start is None:
            return state
        return reset_rows(state, self.initial_state(input.shape[0]), episode_start)

    def unroll(
        self, inputs: Tensor, state: MemoryState, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """Several steps: the same numbers as `forward` one by one.

        Args:
            inputs: (T, N, input_size) float, T >= 1.
            state: as in `forward`.
            episode_start: (T, N) bool, or None.

        Returns:
            reads (T, N, read_size) and the state after the last step.

        Raises:
            ValueError: where a shape does not fit.
        """
        check_steps(inputs, episode_start, self.input_size)
        reads = []
        for time, input in enumerate(inputs):
            read, state = self(input, state, None if episode_start is None else episode_start[time])
            reads.append(read)
        return torch.stack(reads), state

    def read_episodes(self, inputs: Tensor, asked: Tensor | None = None) -> Tensor:
        """Reads of whole fresh episodes, of which no state is kept.

        Args:
            inputs: (T, N, input_size).
            asked: (Q, N) int64, the steps whose reads are wanted; None for all.

        Returns:
            (Q or T, N, read_size).
        """
        reads = self.unroll(inputs, self.initial_state(inputs.shape[1]))[0]
        return reads if asked is None else reads.take_along_dim(asked[..., None], 0)

    def weights(self, state: MemoryState) -> dict[str, Tensor]:
        """What can be watched.

        Returns:
            Where the memory has them: `read` (N, heads or hops, slots), `write` (N, slots) or (N, heads, slots),
            `write_gate` (N, 1); all in [0, 1].
        """
        return {}
