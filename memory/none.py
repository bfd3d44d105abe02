"""No memory: the control, a recurrent core alone."""

from __future__ import annotations

from torch import Tensor

from memory.base import Memory, MemoryState


class NoMemory(Memory):
    """Keeps nothing and answers nothing: reads are (N, 0), the state is empty.

    Args:
        input_size: width of what it is given.
    """

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.input_size, self.read_size = input_size, 0

    def initial_state(self, batch: int) -> MemoryState:
        """Nothing."""
        return {}

    def forward(
        self, write: Tensor, query: Tensor, state: MemoryState, episode_start: Tensor | None = None
    ) -> tuple[Tensor, MemoryState]:
        """A read of width 0."""
        return query.new_zeros(query.shape[0], 0), self.begin(write, query, state, episode_start)
