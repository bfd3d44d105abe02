"""The DNC against its formulas one by one; its compiled step against the plain one."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import torch
from torch import Tensor

from memory import dnc, links, make_memory
from memory.base import MemoryState
from memory.compiled import arrays
from memory.compiled.step import compiled
from runs.measures.reference_dnc import ReferenceDNC


@pytest.fixture(params=["plain", "compiled"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step as PyTorch's operations, and in one compiled piece."""
    if request.param == "compiled":
        pytest.importorskip("numba")
    monkeypatch.setattr(dnc, "compiled", lambda _: request.param == "compiled")


def test_a_step_is_compiled_for_few_threads_on_the_host() -> None:
    pytest.importorskip("numba")
    threads = torch.get_num_threads()
    try:
        for few in (1, 2):
            torch.set_num_threads(few)
            assert compiled(torch.zeros(1))
        assert not compiled(torch.zeros(1, dtype=torch.bfloat16))
        assert not compiled(torch.zeros(1, device="meta"))
        torch.set_num_threads(3)
        assert not compiled(torch.zeros(1))
    finally:
        torch.set_num_threads(threads)


def is_compiled(after: MemoryState) -> bool:
    """Whether a state is of a compiled step."""
    return "_Step" in str(after["memory"].grad_fn)


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("block", [1, 3 * 16 * 16, 2**18])
def test_the_dnc_is_the_straightforward_one(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(links, "BLOCK", block)
    torch.manual_seed(0)
    memory = make_memory("dnc", 5, slots=16, width=4, reads=3).double()
    oracle = ReferenceDNC(5, 16, 4, 3).double()
    oracle.load_state_dict(memory.state_dict())
    given = 3 * torch.randn(25, 7, 5, dtype=torch.float64)
    # slots that differ: which of two alike comes first in the free list hangs on the last bit
    begin = {"memory": torch.randn(7, 16, 4).double(), "usage": torch.rand(7, 16).double()}
    reads, state = memory.unroll(given, memory.initial_state(7) | begin)
    expected, other = [], oracle.initial_state(7) | begin
    for now in given:
        read, other = oracle(now, other)
        expected.append(read)
    torch.testing.assert_close(reads, torch.stack(expected), rtol=1e-9, atol=1e-9)
    for name, value in other.items():
        torch.testing.assert_close(state[name], value, rtol=1e-9, atol=1e-9)
    weight = torch.randn_like(reads)
    ours = torch.autograd.grad((reads * weight).sum(), list(memory.parameters()))
    theirs = torch.autograd.grad((torch.stack(expected) * weight).sum(), list(oracle.parameters()))
    torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-7)


def some_state(memory: dnc.DNC, rows: int, dtype: torch.dtype) -> MemoryState:
    """A state in the midst of things, with slots that differ."""
    rng = torch.Generator().manual_seed(0)
    slots = torch.rand(rows, memory.reads + 3, memory.slots, generator=rng) ** 3
    slots /= slots.sum(-1, keepdim=True)
    square = torch.rand(rows, memory.slots, memory.slots, generator=rng) / memory.slots
    state = {
        "memory": torch.randn(rows, memory.slots, memory.width, generator=rng),
        "usage": slots[:, 0],
        "write": slots[:, 1],
        "precedence": slots[:, 2],
        "links": square * (1 - torch.eye(memory.slots)),
        "reading": slots[:, 3:],
    }
    return memory.initial_state(rows) | {name: value.to(dtype) for name, value in state.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("slots", "width", "reads"), [(7, 3, 2), (131, 67, 4), (1, 1, 1)])
@pytest.mark.parametrize(
    "asked",
    [
        ("read",),
        ("links",),
        ("memory", "usage", "write_gate"),
        ("write", "precedence", "reading"),
        ("links", "memory", "read", "usage"),
    ],
)
def test_the_compiled_step_is_the_plain_one(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, slots: int, width: int, reads: int, asked: tuple[str, ...]
) -> None:
    """Its results and its gradients, whatever of them is asked for, in a part of a tile or in several; the links need
    not lie in order.
    """
    pytest.importorskip("numba")
    torch.manual_seed(0)
    memory = dnc.DNC(5, slots=slots, width=width, reads=reads).to(dtype)
    input = torch.randn(4, 5, dtype=dtype, requires_grad=True)
    results: list[list[Tensor]] = []
    for kind in (True, False):
        monkeypatch.setattr(dnc, "compiled", lambda _, kind=kind: kind)
        state = some_state(memory, 4, dtype)
        state["links"] = state["links"].mT
        leaves = [input, *(value.requires_grad_() for value in state.values()), *memory.parameters()]
        _, after = memory(input, state)
        assert is_compiled(after) == kind
        chosen = [after[name] for name in asked]
        weights = torch.Generator().manual_seed(1)
        loss = sum((value * torch.randn(value.shape, generator=weights, dtype=dtype)).sum() for value in chosen)
        assert isinstance(loss, Tensor)
        grads = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        results.append([*(after[name] for name in sorted(after)), *grads])
    for ours, expected in zip(*results, strict=True):
        # the plain one takes a cumulative product by logarithms, which float32 does not hold as well
        torch.testing.assert_close(ours, expected, **({"rtol": 2e-3, "atol": 2e-3} if dtype == torch.float32 else {}))


def test_freed_slots_are_wiped_only_where_asked() -> None:
    for wipe in (False, True):
        memory = make_memory("dnc", 2, slots=4, width=3, reads=1, links=False, deallocate=wipe)
        with torch.no_grad():
            memory.interface.weight.zero_()
            free, gate = 2 * 3 + 2 + 2 * 3, 2 * 3 + 2 + 2 * 3 + 2
            memory.interface.bias[free], memory.interface.bias[gate] = 50, -50
            state = memory.initial_state(1) | {"memory": torch.ones(1, 4, 3), "reading": torch.eye(4)[None, [1]]}
            _, after = memory(torch.zeros(1, 2), state)
        kept = torch.tensor([1.0, 0.0 if wipe else 1.0, 1.0, 1.0])
        torch.testing.assert_close(after["memory"], kept.view(1, 4, 1).expand(1, 4, 3))


def test_space_is_used_again_once_nobody_holds_it() -> None:
    first = arrays.zeros((256, 256), np.float64)
    tensor = torch.from_numpy(first[:, 1:])
    where = first.ctypes.data
    del first
    assert arrays.empty((256, 256), np.float64).ctypes.data != where, "a tensor lies over it"
    tensor += 1
    del tensor
    again = arrays.zeros((128, 512), np.float64)
    assert again.ctypes.data == where
    assert not again.any()


def test_no_more_space_is_kept_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = 8 * 257 * 259, 8 * 259 * 261
    monkeypatch.setattr(arrays, "_free", defaultdict(list))
    monkeypatch.setattr(arrays, "_kept", 0)
    monkeypatch.setattr(arrays, "MOST", 2 * large)
    for shape in ((257, 259), (259, 261)):
        held = [arrays.empty(shape, np.float64) for _ in range(2)]
        del held
    assert len(arrays._free[large]) == 2, "what was freed last is kept"
    assert not arrays._free[small]
    assert arrays._kept == 2 * large


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> dnc.DNC:
    """A memory whose steps are compiled."""
    pytest.importorskip("numba")
    monkeypatch.setattr(dnc, "compiled", lambda _: True)
    torch.manual_seed(0)
    return dnc.DNC(5, slots=7, width=3, reads=2)


def test_only_what_it_is_made_for_is_compiled(fast: dnc.DNC) -> None:
    for options, compiles in (({"reads": 4}, True), ({"reads": 5}, False), ({"masked": True}, False)):
        memory = dnc.DNC(5, slots=7, width=3, **options)
        assert is_compiled(memory(torch.ones(1, 5), memory.initial_state(1))[1]) == compiles


@pytest.mark.parametrize("name", ["memory", "usage", "links", "reading"])
def test_a_state_of_another_size_is_refused(fast: dnc.DNC, name: str) -> None:
    other = dnc.DNC(5, slots=8, width=2, reads=1).initial_state(4)[name]
    with pytest.raises(ValueError, match=f"{name} in the state must be"):
        fast(torch.ones(4, 5), fast.initial_state(4) | {name: other})


def test_a_change_of_what_it_returned_leaves_the_gradient_right(fast: dnc.DNC) -> None:
    grads = []
    for change in (False, True):
        input = torch.ones(4, 5, requires_grad=True)
        read, after = fast(input, some_state(fast, 4, torch.float32))
        if change:
            with torch.no_grad():
                after["write_gate"].mul_(0)
        grads += torch.autograd.grad(read.sum(), [input])
    torch.testing.assert_close(*grads)


def test_a_graph_that_is_kept_gives_its_gradient_again(fast: dnc.DNC) -> None:
    input = torch.ones(4, 5, requires_grad=True)
    read, _ = fast(input, some_state(fast, 4, torch.float32))
    first, second = (torch.autograd.grad(read.sum(), [input], retain_graph=True)[0] for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert first.abs().sum() > 0


@pytest.mark.usefixtures("kind")
def test_no_rows_are_nothing_to_do() -> None:
    memory = dnc.DNC(5, slots=7, width=3, reads=2)
    read, after = memory(torch.ones(0, 5), memory.initial_state(0))
    assert read.shape == (0, 6)
    assert after["links"].shape == (0, 7, 7)
