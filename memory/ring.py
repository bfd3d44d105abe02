"""A ring buffer of slots: step t is written into slot t mod `slots`, and the oldest is overwritten.

`Span` says what each of the next steps can recall and what the ring holds after them, for one step and for many at
once. Rows of a batch may start new episodes at any step. Row by row, a slot can be recalled where 0 <= age < slots and
age <= time: the second condition hides what was never written, and what was written before the row's last start.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from memory.base import MemoryState


def slot_ages(time: Tensor, slots: int) -> Tensor:
    """The age of what lies in each slot just after step `time`, (N,) int64 from 0: (N, slots) in [0, slots - 1]."""
    return (time[:, None] - torch.arange(slots, device=time.device)) % slots


def hidden(age: Tensor, time: Tensor, slots: int) -> Tensor:
    """Where nothing can be recalled: (..., M) ages at (...) times to (..., M) bool."""
    return (age < 0) | (age >= slots) | (age > time[..., None])


class Span(NamedTuple):
    """The next T steps of N rows.

    What they can recall are M items: the slots, in which a single step is already written; or the slots as they were
    before, if any, followed by all T steps side by side.

    Attributes:
        state: the ring before, tensors (N, ..., slots, size) by name; {} where it was empty.
        time: (N or 1, T) int64, number of each step in its episode, from 0.
        age: (N or 1, T, M) int64, of each item at each step, negative for steps still to come.
        slots: size of the ring.
        single: whether the step is one that is written into its slot before it recalls.
        started: (N,) bool, the rows that start an episode among the steps, whose old content is gone; None for none.
    """

    state: MemoryState
    time: Tensor
    age: Tensor
    slots: int
    single: bool
    started: Tensor | None = None

    def items(self, new: Tensor, name: str, at: int | None = None) -> Tensor:
        """What can be recalled, (N, ..., M, size), of what the steps write, (N, ..., T, size).

        Args:
            new: what the steps write.
            name: of the ring in the state.
            at: which entry of it along the second dimension, such as a hop; None where it has no such dimension.
        """
        if not self.state:
            return new
        old = self.state[name] if at is None else self.state[name][:, at]
        if self.single:
            return torch.where((self.age == 0).mT.view(len(old), *[1] * (old.dim() - 3), -1, 1), new, old)
        return torch.cat([old, new], -2)

    def kept(self, items: Tensor) -> Tensor:
        """The ring (N, ..., slots, size) after the last step, from `items`."""
        if self.single:
            return items
        n, m, steps = len(items), items.shape[-2], self.time.shape[1]
        last = self.time[:, -1].expand(n)
        age = slot_ages(last, self.slots)
        written = (age < steps) & (age <= last[:, None])
        before = torch.arange(self.slots, device=age.device).clamp(max=m - 1)
        index, empty = torch.where(written, m - 1 - age, before), ~written
        if self.state:
            empty = empty & (False if self.started is None else self.started[:, None])
        shape = (n, *[1] * (items.dim() - 3), self.slots, 1)
        return items.take_along_dim(index.view(shape), -2).masked_fill(empty.view(shape), 0)

    def by_slot(self, weights: Tensor) -> Tensor:
        """The last step's weights over the items, (N, hops, M), 0 where hidden, as weights (N, hops, slots)."""
        if self.single:
            return weights
        slot = ((self.time[:, -1:] - self.age[:, -1]) % self.slots)[:, None].expand_as(weights)
        return weights.new_zeros(*weights.shape[:2], self.slots).scatter_add(-1, slot, weights)


def one_step(state: MemoryState, slots: int) -> Span:
    """The span of one step after a state with `time`, (N,) int64: steps that each row has made already."""
    return Span(state, state["time"][:, None], slot_ages(state["time"], slots)[:, None], slots, True)


def many_steps(writes: Tensor, state: MemoryState | None, episode_start: Tensor | None, slots: int) -> Span:
    """The span of the steps of `Memory.unroll` after a state with `time`.

    A state in which no row has made a step is dropped, on the CPU alone: elsewhere this would wait for the device.
    """
    step = torch.arange(len(writes), device=writes.device)
    time, age = step[None], (step[:, None] - step)[None]
    if state is None or (writes.device.type == "cpu" and not state["time"].any()):
        state = {}
    else:
        time = state["time"][:, None] + step
        before = slot_ages(state["time"] - 1, slots)[:, None] + 1 + step[:, None]
        age = torch.cat([before, age.expand(len(time), -1, -1)], 2)
    if episode_start is None:
        return Span(state, time, age, slots, False)
    start = torch.where(episode_start.mT, step, -1).cummax(1).values
    return Span(state, torch.where(start >= 0, step - start, time), age, slots, False, episode_start.any(0))


def last_written(time: Tensor, slots: int) -> Tensor:
    """(N,) steps made to (N, slots) bool: the slot of the last step, none where no step was made."""
    return (slot_ages(time - 1, slots) == 0) & (time > 0)[:, None]


def stored_steps(time: Tensor, slots: int) -> Tensor:
    """(N,) steps made to (N, slots) int64: the number of the step that lies in each slot, -1 where none does."""
    return (time[:, None] - 1 - slot_ages(time - 1, slots)).clamp(min=-1)


def at_steps(values: Tensor, wanted: Tensor) -> Tensor:
    """Of values (N or 1, T, ...) those of the steps `wanted` (Q, N): (N, Q, ...)."""
    rows = torch.arange(wanted.shape[1], device=wanted.device) if len(values) > 1 else torch.zeros_like(wanted[0])
    return values[rows[:, None], wanted.mT]
