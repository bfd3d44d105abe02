"""What every memory of `MEMORIES` must do, whatever it is."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor

from memory import MEMORIES, Memory, MemoryState, make_memory

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "none": [{}],
    "episodic": [{"slots": 5, "width": 4}, {"slots": 5, "width": 4, "associations": 2}],
    "ntm": [{"slots": 5, "width": 3}, {"slots": 7, "width": 3, "reads": 2, "writes": 2, "shift": 2}],
    "dnc": [
        {"slots": 5, "width": 3, "reads": 2},
        {"slots": 5, "width": 3, "reads": 2, "masked": True, "deallocate": True, "sharpen": True},
        {"slots": 5, "width": 3, "reads": 1, "links": False},
    ],
}
"""Small forms of each row; a row without an entry is tried with few slots."""

CASES = [(name, options) for name in MEMORIES for options in OPTIONS.get(name, [{"slots": 5, "width": 4}])]
INPUT, ROWS, STEPS = 4, 3, 4


@pytest.fixture(params=CASES, ids=lambda case: "-".join([case[0], *(f"{k}{v}" for k, v in case[1].items())]))
def case(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param


@pytest.fixture
def memory(case: tuple[str, dict[str, Any]]) -> Memory:
    return make(case)


def make(case: tuple[str, dict[str, Any]]) -> Memory:
    torch.manual_seed(0)
    return make_memory(case[0], INPUT, **case[1])


def inputs(*shape: int, seed: int = 1, **kwargs: Any) -> Tensor:
    return torch.randn(*shape, INPUT, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(**kwargs)


def assert_same(ours: MemoryState, theirs: MemoryState) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def test_shapes(memory: Memory) -> None:
    state = memory.initial_state(ROWS)
    read, after = memory(inputs(ROWS, dtype=torch.float32), state)
    assert (memory.input_size, read.shape, read.dtype) == (INPUT, (ROWS, memory.read_size), torch.float32)
    reads, last = memory.unroll(inputs(STEPS, ROWS, dtype=torch.float32), state)
    assert reads.shape == (STEPS, ROWS, memory.read_size)
    for other in (after, last):
        assert {k: (v.shape, v.dtype) for k, v in other.items()} == {k: (v.shape, v.dtype) for k, v in state.items()}
    assert all(value.shape[0] == ROWS for value in state.values())
    assert_same(state, memory.initial_state(ROWS))


def test_the_state_passed_in_is_not_changed(memory: Memory) -> None:
    _, state = memory(inputs(ROWS, dtype=torch.float32), memory.initial_state(ROWS))
    before = {name: value.clone() for name, value in state.items()}
    memory(inputs(ROWS, seed=2, dtype=torch.float32), state)
    assert_same(state, before)


def test_rows_do_not_leak(memory: Memory) -> None:
    given = inputs(STEPS, ROWS, dtype=torch.float32)
    other = given.clone()
    other[:, 1] += 1
    (one, first), (two, second) = (memory.unroll(x, memory.initial_state(ROWS)) for x in (given, other))
    assert torch.equal(one[:, [0, 2]], two[:, [0, 2]])
    for name, value in first.items():
        assert torch.equal(value[[0, 2]], second[name][[0, 2]]), name
    assert memory.read_size == 0 or not torch.equal(one[:, 1], two[:, 1])


def test_gradients_do_not_leak(memory: Memory) -> None:
    given = inputs(STEPS, ROWS, dtype=torch.float32).requires_grad_()
    reads, state = memory.unroll(given, memory.initial_state(ROWS))
    loss = reads[:, 1].square().sum() + sum(value[1].square().sum() for value in state.values() if value.requires_grad)
    if not memory.read_size:
        assert not reads.requires_grad
        return
    (gradient,) = torch.autograd.grad(loss, given)
    assert not gradient[:, [0, 2]].any()
    assert gradient[:, 1].any()


def test_gradients(memory: Memory) -> None:
    memory.double()
    if not memory.read_size:
        pytest.skip("answers nothing: there is no gradient")
    parameters = dict(memory.named_parameters())

    def play(given: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        begin = memory.initial_state(2)
        reads, state = memory.unroll(given, begin, torch.tensor([[False, False], [False, False], [True, False]]))
        return reads, *(value for value in state.values() if value.is_floating_point() and value.requires_grad)

    given = inputs(3, 2).requires_grad_()
    assert torch.autograd.gradcheck(play, (given, *parameters.values()))


def test_states_are_saved_and_loaded(memory: Memory) -> None:
    given = inputs(STEPS, ROWS, dtype=torch.float32)
    with torch.no_grad():
        _, state = memory.unroll(given, memory.initial_state(ROWS))
        file = io.BytesIO()
        torch.save(state, file)
        file.seek(0)
        loaded = torch.load(file, weights_only=True)
        assert_same(loaded, state)
        (one, first), (two, second) = (memory(given[0], s) for s in (state, loaded))
    assert torch.equal(one, two)
    assert_same(first, second)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_agrees(case: tuple[str, dict[str, Any]]) -> None:
    place = "cuda"
    memory, there = make(case).double(), make(case).double().to(place)
    starts = torch.zeros(STEPS, ROWS, dtype=torch.bool)
    starts[2, 1] = True
    one, first = memory.unroll(inputs(STEPS, ROWS), memory.initial_state(ROWS), starts)
    two, second = there.unroll(inputs(STEPS, ROWS).to(place), there.initial_state(ROWS), starts.to(place))
    assert two.device.type == place
    torch.testing.assert_close(two.cpu(), one)
    torch.testing.assert_close({name: value.cpu() for name, value in second.items()}, first)


@pytest.mark.parametrize("poison", [1.0, float("nan")])
def test_a_reset_row_answers_as_a_fresh_one(memory: Memory, poison: float) -> None:
    given, start = inputs(STEPS, ROWS, dtype=torch.float32), torch.tensor([True, False, True])
    _, used = memory.unroll(given, memory.initial_state(ROWS))
    rows = start.nonzero().squeeze(1)
    for value in used.values():
        if value.is_floating_point():
            value.data[rows] *= poison
    now = inputs(ROWS, seed=2, dtype=torch.float32)
    reset, state = memory(now, used, start)
    fresh, fresh_state = memory(now, memory.initial_state(ROWS))
    going, going_state = memory(now, used)
    assert torch.equal(reset[start], fresh[start])
    assert torch.equal(reset[~start], going[~start])
    for name, value in state.items():
        assert torch.equal(value[start], fresh_state[name][start]), name
        assert torch.equal(value[~start], going_state[name][~start]), name


def test_unrolling_is_stepping(memory: Memory) -> None:
    memory.double()
    given = inputs(STEPS, ROWS)
    starts = torch.rand(STEPS, ROWS, generator=torch.Generator().manual_seed(0)) < 0.4
    assert starts.any()
    begin = memory.initial_state(ROWS)
    reads, last = memory.unroll(given, begin, starts)
    state = begin
    for time in range(STEPS):
        read, state = memory(given[time], state, starts[time])
        torch.testing.assert_close(reads[time], read)
    torch.testing.assert_close(last, state)


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_many_random_steps(memory: Memory, scale: float) -> None:
    rows, steps = (5000, 200) if scale > 1 else (1000, 20)
    generator = torch.Generator().manual_seed(0)
    healthy = torch.tensor(True)
    with torch.no_grad():
        state = memory.initial_state(rows)
        for _ in range(steps):
            read, state = memory(scale * torch.randn(rows, INPUT, generator=generator), state)
            healthy &= read.isfinite().all()
    assert healthy
    assert all(value.isfinite().all() for value in state.values())
    check_weights(memory, state)


def test_gradients_of_large_inputs_are_numbers(memory: Memory) -> None:
    if not memory.read_size:
        pytest.skip("answers nothing: there is no gradient")
    given = (1e3 * inputs(30, 20, dtype=torch.float32)).requires_grad_()
    reads, _ = memory.unroll(given, memory.initial_state(20))
    gradients = torch.autograd.grad(reads.square().mean(), [given, *memory.parameters()], allow_unused=True)
    assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


def check_weights(memory: Memory, state: MemoryState) -> None:
    """What can be watched: distributions, or less."""
    weights, rows = memory.weights(state), next(iter(state.values())).shape[0] if state else 0
    assert weights.keys() <= {"read", "write", "write_gate"}
    for name, value in weights.items():
        assert value.shape[0] == rows
        assert (value >= 0).all(), name
        if name == "write_gate":
            assert value.shape == (rows, 1)
            assert (value <= 1).all()
        else:
            assert value.dim() == 3 or (name == "write" and value.dim() == 2)
            assert (value.sum(-1) <= 1 + 1e-5).all(), name


def test_weights_are_distributions(memory: Memory) -> None:
    state = memory.initial_state(ROWS)
    check_weights(memory, state)
    for given in inputs(10, ROWS, dtype=torch.float32):
        _, state = memory(given, state)
        check_weights(memory, state)


def test_unknown_names_and_options() -> None:
    with pytest.raises(KeyError, match=r"no memory 'tape': choose one of none, "):
        make_memory("tape", INPUT)
    with pytest.raises(TypeError, match="sluts"):
        make_memory("ntm", INPUT, sluts=3)


def test_misfits_are_refused(memory: Memory) -> None:
    state = memory.initial_state(ROWS)
    with pytest.raises(ValueError, match=r"input must be \(N, 4\), got \(3, 5\)"):
        memory(torch.zeros(ROWS, INPUT + 1), state)
    with pytest.raises(ValueError, match=r"episode_start must be \(3,\) bool, got \(3,\) torch.float32"):
        memory(torch.zeros(ROWS, INPUT), state, torch.zeros(ROWS))
    with pytest.raises(ValueError, match=r"episode_start must be \(2, 3\) bool, got \(3,\)"):
        memory.unroll(torch.zeros(2, ROWS, INPUT), state, torch.zeros(ROWS, dtype=torch.bool))
    if state:
        with pytest.raises(ValueError, match=r"begin with initial_state\(2\)"):
            memory(torch.zeros(2, INPUT), state)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ntm", {"slots": 2}, r"slots at least 2 \* shift \+ 1"),
        ("ntm", {"reads": 0}, "sizes must be at least 1"),
        ("dnc", {"width": 0}, "sizes must be at least 1"),
        ("dnc", {"links": False, "sharpen": True}, "needs links=True"),
    ],
)
def test_impossible_forms_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_memory(name, INPUT, **options)
