"""A ring buffer of slots: step t is written into slot t mod `slots`, and the oldest is overwritten.

The functions here give the age of what lies in each slot, for one step and for many steps at once. Rows of a batch may
start new episodes at any step. Row by row, a slot can be recalled where 0 <= age < slots and age <= time: the second
condition hides what was never written, and what was written before the row's last start.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from memory.base import MemoryState, check_steps


def slot_ages(time: Tensor, slots: int) -> Tensor:
    """The age in steps of what lies in each slot, just after step `time` was written.

    Args:
        time: (N,) int64, number of the step in its episode, from 0.
        slots: size of the ring.

    Returns:
        (N, slots) int64 in [0, slots - 1]; 0 is the slot of this very step.
    """
    return (time[:, None] - torch.arange(slots, device=time.device)) % slots


def step_times(steps: int, time: Tensor | None, episode_start: Tensor | None, device: torch.device) -> Tensor:
    """The number in its episode of each of the next steps: (N, T) int64, or (1, T) where all rows agree.

    Args:
        steps: number of steps T.
        time: (N,) int64, steps that each row has made already; None where all rows are fresh.
        episode_start: (T, N) bool, the steps that start an episode; None for no such step.
        device: where the result lies.
    """
    step = torch.arange(steps, device=device)[None]
    times = step if time is None else time[:, None] + step
    if episode_start is None:
        return times
    start = torch.where(episode_start.mT, step, -1).cummax(1).values
    return torch.where(start >= 0, step - start, times)


def recalled_ages(steps: int, time: Tensor | None, slots: int, device: torch.device) -> Tensor:
    """Ages, at each of the next steps, of the slots written before, followed by these steps themselves.

    Args:
        steps: number of steps T.
        time: (N,) int64, steps that each row has made already; None to leave the slots written before out.
        slots: size of the ring.
        device: where the result lies.

    Returns:
        (N, T, slots + T) int64, or (1, T, T) without `time`; negative for steps still to come.
    """
    step = torch.arange(steps, device=device)
    among = (step[:, None] - step)[None]
    if time is None:
        return among
    before = slot_ages(time - 1, slots)[:, None] + 1 + step[:, None]
    return torch.cat([before, among.expand(len(time), -1, -1)], dim=2)


def hidden(age: Tensor, time: Tensor, slots: int) -> Tensor:
    """Where nothing can be recalled: (..., M) ages at (...) times to (..., M) bool."""
    return (age < 0) | (age >= slots) | (age > time[..., None])


def unseen(mask: Tensor, like: Tensor) -> Tensor:
    """(N or 1, 1, Q, M) in the type of `like`: -inf where the mask, from `hidden`, else 0."""
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, -math.inf)[:, None]


def fill(new: Tensor, old: Tensor | None, time: Tensor, started: Tensor | None, slots: int) -> Tensor:
    """The ring (N, slots, ...) after many steps.

    Args:
        new: (N, T, ...), what the steps wrote.
        old: (N, slots, ...), the ring before; None for zeros.
        time: (N,) int64, number in its episode of the last step.
        started: (N,) bool, the rows that started an episode among the steps, whose old content is gone.
        slots: size of the ring.
    """
    n, steps = new.shape[:2]
    if old is None and started is None and steps <= slots:
        return torch.cat([new, new.new_zeros(n, slots - steps, *new.shape[2:])], dim=1)
    age = slot_ages(time, slots)
    row = torch.arange(n, device=new.device)[:, None]
    written = (age < steps) & (age <= time[:, None])
    tail = (1,) * (new.ndim - 2)
    rest = new.new_zeros(()) if old is None else old
    if old is not None and started is not None:
        rest = torch.where(started.reshape(n, 1, *tail), 0, old)
    return torch.where(written.reshape(n, slots, *tail), new[row, (steps - 1 - age).clamp(min=0)], rest)


def by_slot(weights: Tensor, time: Tensor, before: bool, slots: int) -> Tensor:
    """Weights over what `recalled_ages` lists, as weights (N, hops, Q, slots) over the slots of the ring.

    Args:
        weights: (N, hops, Q, M), 0 where hidden.
        time: (N or 1, T) int64, from `step_times`.
        before: whether the slots written before come first among the M; otherwise these are the T steps alone.
        slots: size of the ring.
    """
    n = len(weights)
    slot = (time % slots).expand(n, -1)
    if before:
        slot = torch.cat([torch.arange(slots, device=slot.device).expand(n, -1), slot], dim=1)
    empty = weights.new_zeros(*weights.shape[:3], slots)
    return empty.scatter_add(-1, slot[:, None, None].expand(weights.shape), weights)


def last_written(time: Tensor, slots: int) -> Tensor:
    """(N,) steps made to (N, slots) bool: the slot of the last step, none where no step was made."""
    return (slot_ages(time - 1, slots) == 0) & (time > 0)[:, None]


def stored_steps(time: Tensor, slots: int) -> Tensor:
    """(N,) steps made to (N, slots) int64: the number of the step that lies in each slot, -1 where none does."""
    return (time[:, None] - 1 - slot_ages(time - 1, slots)).clamp(min=-1)


def begin(
    writes: Tensor, queries: Tensor, state: MemoryState | None, episode_start: Tensor | None, input_size: int
) -> MemoryState:
    """What an `unroll` over a ring does first: check the shapes, and drop a state that holds nothing.

    Returns:
        The state, or {} for None and for a state in which no row has made a step. The latter is checked on the CPU
        alone: elsewhere it would wait for the device.

    Raises:
        ValueError: where a shape does not fit.
    """
    check_steps(writes, queries, episode_start, input_size)
    if state is None:
        return {}
    time, n = state["time"], writes.shape[1]
    if len(time) != n:
        raise ValueError(f"the state has {len(time)} rows, the writes {n}: start with initial_state({n})")
    return {} if time.device.type == "cpu" and not time.any() else state


def at_steps(values: Tensor, wanted: Tensor) -> Tensor:
    """Of values (N or 1, T, ...) those of the steps `wanted` (Q, N): (N, Q, ...)."""
    rows = torch.arange(wanted.shape[1], device=wanted.device) if len(values) > 1 else torch.zeros_like(wanted[0])
    return values[rows[:, None], wanted.mT]
