"""A whole step of the DNC and its gradient, row by row of the batch, out of the parts in `memory.compiled`.

A row's slots and links then stay in the cache from the lookup to the read. Shapes: N rows, S slots, W the width of a
slot, H read heads; the write's key is the last of H + 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from memory.compiled import HEADS
from memory.compiled.interface import ask, ask_back
from memory.compiled.links import follow, follow_back
from memory.compiled.loops import FAST
from memory.compiled.slots import by_slot, look, look_back, products, read, shares, write, write_back
from memory.compiled.usage import allocate, allocate_back, use, use_back

whole = numba.njit(nogil=True, fastmath=FAST)
"""Not cached: Numba's cache does not notice a change of the parts, which are in another file."""


class State(NamedTuple):
    """What a step begins with, and what it leaves; as in `memory.dnc`."""

    memory: Any
    usage: Any
    write: Any
    precedence: Any
    links: Any
    reading: Any


class Interface(NamedTuple):
    """What the controller asks for."""

    keys: Any
    """(N, H + 1, W), each as long as its strength."""
    erase: Any
    """(N, W) in [0, 1]."""
    add: Any
    """(N, W)."""
    free: Any
    """(N, H) in [0, 1]."""
    allocation: Any
    """(N, 1) in [0, 1]."""
    gate: Any
    """(N, 1) in [0, 1]."""
    modes: Any
    """(N, H, 3), distributions over backward, content, forward."""


class Trail(NamedTuple):
    """What is kept for the way back."""

    order: Any
    """(N, S), slots from the least used one on."""
    allocated: Any
    """(N, S)."""
    scales: Any
    """(N, 2, S): of the slots before the write, and after."""
    scores: Any
    """(N, H + 1, S)."""
    alike: Any
    """(N, H + 1, S), their softmax."""
    forward: Any
    """(N, H, S)."""
    backward: Any
    """(N, H, S)."""


@whole
def begin(given: Any, state: State, asked: Interface, usage: Any) -> None:
    """What the interface vectors (N, …) ask for, and the usage (N, S) after what was written and what is freed."""
    for n in range(len(given)):
        ask(
            given[n],
            asked.keys[n],
            asked.erase[n],
            asked.add[n],
            asked.free[n],
            asked.allocation[n],
            asked.gate[n],
            asked.modes[n],
        )
        use(state.usage[n], state.write[n], state.reading[n], asked.free[n], usage[n])


@whole
def step(state: State, asked: Interface, trail: Trail, after: State, reads: Any) -> None:
    """Write, then read, after `begin`.

    `after.usage` and `trail.order` are given; all else of the last three is filled.
    """
    heads = reads.shape[1]
    for n in range(len(reads)):
        memory, weights, alike = after.memory[n], after.write[n], trail.alike[n]
        keys, scores, scales, allocated = asked.keys[n], trail.scores[n], trail.scales[n], trail.allocated[n]
        look(state.memory[n], keys[heads:], scales[0], scores[heads:], alike[heads:])
        allocate(after.usage[n], trail.order[n], allocated)
        allocation, gate, like, total = asked.allocation[n, 0], asked.gate[n, 0], alike[heads], reads.dtype.type(0)
        for s in range(len(weights)):
            weights[s] = gate * (like[s] + allocation * (allocated[s] - like[s]))
            total += weights[s]
        write(state.memory[n], weights, asked.erase[n], asked.add[n], memory)
        look(memory, keys[:heads], scales[1], scores[:heads], alike[:heads])
        forward, backward = trail.forward[n], trail.backward[n]
        follow(state.links[n], state.precedence[n], weights, state.reading[n], after.links[n], forward, backward)
        last, precedence = state.precedence[n], after.precedence[n]
        for s in range(len(weights)):
            precedence[s] = last[s] - total * last[s] + weights[s]
        for h in range(heads):
            back, content, ahead = asked.modes[n, h]
            for s in range(len(weights)):
                after.reading[n, h, s] = back * backward[h, s] + content * alike[h, s] + ahead * forward[h, s]
        read(memory, after.reading[n], reads[n])


@whole
def step_back(
    state: State,
    asked: Interface,
    trail: Trail,
    after: State,
    after_grad: State,
    reads_grad: Any,
    state_grad: State,
    asked_grad: Interface,
    given: Any,
    given_grad: Any,
) -> None:
    """The gradients of `begin` and `step`.

    Those of the state and of what was asked are added to what is there; the memory's, the links' and the interface
    vectors' are new. No links in `after_grad` stand for zeros; without links in `state_grad`, theirs is not wanted.
    """
    heads, slots = reads_grad.shape[1], len(state.usage[0])
    zero, one = reads_grad.dtype.type(0), reads_grad.dtype.type(1)
    alike_grad = np.empty_like(trail.alike[0])
    forward_grad, backward_grad = np.empty_like(state.reading[0]), np.empty_like(state.reading[0])
    allocated_grad = np.empty_like(state.usage[0])
    for n in range(len(reads_grad)):
        usage_grad = after_grad.usage[n].copy()
        weights_grad, reading_grad = after_grad.write[n].copy(), after_grad.reading[n].copy()
        weights, alike, allocated = after.write[n], trail.alike[n], trail.allocated[n]
        found = np.zeros((slots, HEADS), reads_grad.dtype)
        products(after.memory[n], reads_grad[n], found)
        for h in range(heads):
            for s in range(slots):
                reading_grad[h, s] += found[s, h]
        for h in range(heads):
            back, content, ahead = asked.modes[n, h]
            modes_grad = asked_grad.modes[n, h]
            for s in range(len(weights)):
                grad = reading_grad[h, s]
                modes_grad[0] += grad * trail.backward[n, h, s]
                modes_grad[1] += grad * alike[h, s]
                modes_grad[2] += grad * trail.forward[n, h, s]
                backward_grad[h, s], alike_grad[h, s], forward_grad[h, s] = back * grad, content * grad, ahead * grad
        last, last_grad, late_grad = state.precedence[n], state_grad.precedence[n], after_grad.precedence[n]
        total, lost = zero, zero
        for s in range(len(weights)):
            total += weights[s]
            lost += late_grad[s] * last[s]
        for s in range(len(weights)):
            weights_grad[s] += late_grad[s] - lost
            last_grad[s] += (one - total) * late_grad[s]
        follow_back(
            state.links[n],
            last,
            weights,
            state.reading[n],
            after_grad.links[n] if len(after_grad.links) else state.links[n, :0],
            forward_grad,
            backward_grad,
            state_grad.links[n] if len(state_grad.links) else state.links[n, :0],
            last_grad,
            weights_grad,
            state_grad.reading[n],
        )
        keys, keys_grad, scores, scales = asked.keys[n], asked_grad.keys[n], trail.scores[n], trail.scales[n]
        share, shrink = shares(scales[1], scores[:heads], alike[:heads], alike_grad[:heads])
        write_back(
            state.memory[n],
            after.memory[n],
            weights,
            asked.erase[n],
            asked.add[n],
            keys[:heads],
            share,
            shrink,
            by_slot(after.reading[n]),
            reads_grad[n],
            after_grad.memory[n],
            state_grad.memory[n],
            weights_grad,
            asked_grad.erase[n],
            asked_grad.add[n],
            keys_grad[:heads],
        )
        allocation, gate, like = asked.allocation[n, 0], asked.gate[n, 0], alike[heads]
        for s in range(len(weights)):
            choice = allocated[s] - like[s]
            asked_grad.gate[n, 0] += weights_grad[s] * (like[s] + allocation * choice)
            asked_grad.allocation[n, 0] += weights_grad[s] * gate * choice
            allocated_grad[s] = weights_grad[s] * gate * allocation
            alike_grad[heads, s] = weights_grad[s] * gate * (one - allocation)
        share, shrink = shares(scales[0], scores[heads:], alike[heads:], alike_grad[heads:])
        look_back(state.memory[n], keys[heads], share, shrink, state_grad.memory[n], keys_grad[heads])
        allocate_back(after.usage[n], trail.order[n], allocated, allocated_grad, usage_grad)
        use_back(
            state.usage[n],
            state.write[n],
            state.reading[n],
            asked.free[n],
            usage_grad,
            state_grad.usage[n],
            state_grad.write[n],
            state_grad.reading[n],
            asked_grad.free[n],
        )
        ask_back(
            given[n],
            asked.keys[n],
            asked.erase[n],
            asked.free[n],
            asked.allocation[n],
            asked.gate[n],
            asked.modes[n],
            asked_grad.keys[n],
            asked_grad.erase[n],
            asked_grad.add[n],
            asked_grad.free[n],
            asked_grad.allocation[n],
            asked_grad.gate[n],
            asked_grad.modes[n],
            given_grad[n],
        )
