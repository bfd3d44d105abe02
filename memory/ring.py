"""A ring buffer of slots: step t is written into slot t mod `slots`, and the oldest is overwritten.

A slot can be recalled where 0 <= age < slots and age <= time: the second condition hides what was never written in this
episode. Of a whole fresh episode all steps lie side by side, and each recalls those before it.
"""

from __future__ import annotations

import torch
from torch import Tensor


def slot_ages(time: Tensor, slots: int) -> Tensor:
    """The age of what lies in each slot just after step `time`, (N,) int64 from 0: (N, slots) in [0, slots - 1]."""
    return (time[:, None] - torch.arange(slots, device=time.device)) % slots


def episode_ages(writes: Tensor) -> tuple[Tensor, Tensor]:
    """Of whole fresh episodes (T, N, ...): the number of each step, (1, T), and the age of each step as each of them
    sees it, (1, T, T) int64, negative for steps still to come."""
    step = torch.arange(len(writes), device=writes.device)
    return step[None], (step[:, None] - step)[None]


def hidden(age: Tensor, time: Tensor, slots: int) -> Tensor:
    """Where nothing can be recalled: (..., M) ages at (...) times to (..., M) bool."""
    return (age < 0) | (age >= slots) | (age > time[..., None])


def put(slots: Tensor, new: Tensor, age: Tensor) -> Tensor:
    """The ring (N, ..., slots, size) with `new` (N, ..., 1, size) in the slot of age 0; `age` (N, slots)."""
    index = (age == 0).to(torch.int64).argmax(1)
    return slots.scatter(-2, index.view(-1, *[1] * (slots.dim() - 1)).expand_as(new), new.to(slots.dtype))


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
