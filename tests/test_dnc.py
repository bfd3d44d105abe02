"""The DNC against its formulas one by one."""

from __future__ import annotations

import pytest
import torch

from memory import dnc, links, make_memory
from memory.base import MemoryState
from tests.reference_dnc import ReferenceDNC


@pytest.mark.parametrize("block", [1, 3 * 16 * 16, 2**18])
def test_the_dnc_is_the_straightforward_one(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(links, "BLOCK", block)
    torch.manual_seed(0)
    memory = make_memory("dnc", 5, slots=16, width=4, reads=3).double()
    oracle = ReferenceDNC(5, 16, 4, 3).double()
    oracle.load_state_dict(memory.state_dict())
    given = 3 * torch.randn(25, 7, 5, dtype=torch.float64)
    # slots that differ: which of two alike comes first in the free list depends on the last bit
    first = {"memory": torch.randn(7, 16, 4).double(), "usage": torch.rand(7, 16).double()}
    reads, state = memory.unroll(given, given, memory.initial_state(7) | first)
    expected, other = [], oracle.initial_state(7) | first
    for now in given:
        read, other = oracle(now, now, other)
        expected.append(read)
    torch.testing.assert_close(reads, torch.stack(expected), rtol=1e-9, atol=1e-9)
    for name, value in other.items():
        torch.testing.assert_close(state[name], value, rtol=1e-9, atol=1e-9)
    weight = torch.randn_like(reads)
    ours = torch.autograd.grad((reads * weight).sum(), list(memory.parameters()))
    theirs = torch.autograd.grad((torch.stack(expected) * weight).sum(), list(oracle.parameters()))
    torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-7)


def some_state(rows: int, slots: int, width: int, reads: int) -> MemoryState:
    """A state as after many steps, with slots that differ."""
    rng = torch.Generator().manual_seed(0)
    weights = torch.rand(rows, reads + 3, slots, generator=rng, dtype=torch.float64) ** 3
    weights /= weights.sum(-1, keepdim=True)
    square = torch.rand(rows, slots, slots, generator=rng, dtype=torch.float64) / slots
    return {
        "memory": torch.randn(rows, slots, width, generator=rng, dtype=torch.float64),
        "usage": weights[:, 0],
        "write": weights[:, 1],
        "precedence": weights[:, 2],
        "links": square * (1 - torch.eye(slots)),
        "reading": weights[:, 3:],
    }


@pytest.mark.parametrize(
    "wanted", [("links",), ("memory", "usage"), ("write", "precedence", "reading"), ("links", "memory", "reading")]
)
def test_the_gradient_of_a_step_is_that_of_the_formulas(wanted: tuple[str, ...]) -> None:
    """By everything that goes in, whatever comes out of it is used; the links need not lie in order."""
    memory = make_memory("dnc", 5, slots=7, width=3, reads=2).double()
    oracle = ReferenceDNC(5, 7, 3, 2).double()
    oracle.load_state_dict(memory.state_dict())
    input = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    results = []
    for kind in (memory, oracle):
        state = some_state(4, 7, 3, 2)
        state["links"] = state["links"].mT
        leaves = [input, *(value.requires_grad_() for value in state.values()), *kind.parameters()]
        _, after = kind(input, input, kind.initial_state(4) | state)
        loss = sum(after[name].sin().sum() for name in wanted)
        assert isinstance(loss, torch.Tensor)
        results.append(torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True))
    torch.testing.assert_close(*results)


def test_freed_slots_are_wiped_only_where_asked() -> None:
    for wipe in (False, True):
        memory = make_memory("dnc", 2, slots=4, width=3, reads=1, links=False, deallocate=wipe)
        with torch.no_grad():
            memory.interface.weight.zero_()
            free, gate = 2 * 3 + 2 + 2 * 3, 2 * 3 + 2 + 2 * 3 + 2
            memory.interface.bias[free], memory.interface.bias[gate] = 50, -50
            state = memory.initial_state(1) | {"memory": torch.ones(1, 4, 3), "reading": torch.eye(4)[None, [1]]}
            _, after = memory(torch.zeros(1, 2), torch.zeros(1, 2), state)
        kept = torch.tensor([1.0, 0.0 if wipe else 1.0, 1.0, 1.0])
        torch.testing.assert_close(after["memory"], kept.view(1, 4, 1).expand(1, 4, 3))


def test_a_graph_that_is_kept_gives_its_gradient_again() -> None:
    memory = dnc.DNC(5, slots=7, width=3, reads=2).double()
    input = torch.ones(4, 5, dtype=torch.float64, requires_grad=True)
    read, _ = memory(input, input, memory.initial_state(4) | some_state(4, 7, 3, 2))
    first, second = (torch.autograd.grad(read.sum(), [input], retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    assert first.abs().sum() > 0


def test_a_second_derivative_is_refused() -> None:
    memory = dnc.DNC(5, slots=7, width=3, reads=2)
    given = torch.ones(3, 4, 5, requires_grad=True)
    reads, _ = memory.unroll(given, given)
    (slope,) = torch.autograd.grad(reads.square().sum(), given, create_graph=True)
    with pytest.raises(RuntimeError, match=r"differentiate|backward"):
        torch.autograd.grad(slope.sum(), given)


def test_no_rows_are_nothing_to_do() -> None:
    memory = dnc.DNC(5, slots=7, width=3, reads=2)
    read, after = memory(torch.ones(0, 5), torch.ones(0, 5), memory.initial_state(0))
    assert read.shape == (0, 6)
    assert after["links"].shape == (0, 7, 7)
