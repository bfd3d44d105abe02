"""What every memory of `MEMORIES` must do, whatever it is."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor

from memory import MEMORIES, Memory, MemoryState, Watch, compile_memory, make_memory

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "none": [{}],
    "episodic": [
        {"slots": 5, "width": 4},
        {"slots": 5, "width": 4, "associations": 2},
        {"slots": 5, "width": 4, "associations": 2, "share": 0.5},
    ],
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


def starts(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) < 0.4


def test_shapes(memory: Memory) -> None:
    state = memory.initial_state(ROWS)
    given, queries = (inputs(STEPS, ROWS, seed=seed, dtype=torch.float32) for seed in (1, 2))
    read, after = memory(given[0], queries[0], state)
    assert (memory.input_size, read.shape, read.dtype) == (INPUT, (ROWS, memory.read_size), torch.float32)
    reads, last = memory.unroll(given, queries, state)
    assert reads.shape == (STEPS, ROWS, memory.read_size)
    for other in (after, last):
        assert {k: (v.shape, v.dtype) for k, v in other.items()} == {k: (v.shape, v.dtype) for k, v in state.items()}
    assert all(value.shape[0] == ROWS for value in state.values())
    assert_same(state, memory.initial_state(ROWS))


def test_the_state_passed_in_is_not_changed(memory: Memory) -> None:
    given = inputs(ROWS, dtype=torch.float32)
    _, state = memory(given, given, memory.initial_state(ROWS))
    before = {name: value.clone() for name, value in state.items()}
    memory(inputs(ROWS, seed=2, dtype=torch.float32), given, state)
    assert_same(state, before)


def test_rows_do_not_leak(memory: Memory) -> None:
    given = inputs(STEPS, ROWS, dtype=torch.float32)
    other = given.clone()
    other[:, 1] += 1
    (one, first), (two, second) = (memory.unroll(x, x) for x in (given, other))
    assert torch.equal(one[:, [0, 2]], two[:, [0, 2]])
    for name, value in first.items():
        assert torch.equal(value[[0, 2]], second[name][[0, 2]]), name
    assert memory.read_size == 0 or not torch.equal(one[:, 1], two[:, 1])


def test_gradients_do_not_leak(memory: Memory) -> None:
    given = inputs(STEPS, ROWS, dtype=torch.float32).requires_grad_()
    reads, state = memory.unroll(given, given)
    loss = reads[:, 1].square().sum() + sum(value[1].square().sum() for value in state.values() if value.requires_grad)
    if not memory.read_size:
        assert not reads.requires_grad
        return
    (gradient,) = torch.autograd.grad(loss, given)
    assert not gradient[:, [0, 2]].any()
    assert gradient[:, 1].any()


@pytest.mark.parametrize("apart", [False, True])
def test_gradients(memory: Memory, apart: bool) -> None:
    memory.double()
    if not memory.read_size:
        pytest.skip("answers nothing: there is no gradient")
    parameters = dict(memory.named_parameters())

    def play(given: Tensor, query: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        begin = memory.initial_state(2)
        episode_start = torch.tensor([[False, False], [False, False], [True, False]])
        reads, state = memory.unroll(given, query if apart else given, begin, episode_start)
        return reads, *(value for value in state.values() if value.is_floating_point() and value.requires_grad)

    given, query = inputs(3, 2).requires_grad_(), inputs(3, 2, seed=2).requires_grad_(apart)
    assert torch.autograd.gradcheck(play, (given, query, *parameters.values()), fast_mode=True)


def test_states_are_saved_and_loaded(memory: Memory) -> None:
    given = inputs(STEPS, ROWS, dtype=torch.float32)
    with torch.no_grad():
        _, state = memory.unroll(given, given)
        file = io.BytesIO()
        torch.save(state, file)
        file.seek(0)
        loaded = torch.load(file, weights_only=True)
        assert_same(loaded, state)
        (one, first), (two, second) = (memory(given[0], given[0], s) for s in (state, loaded))
    assert torch.equal(one, two)
    assert_same(first, second)


def test_one_tensor_and_two_that_are_equal_give_the_same(memory: Memory) -> None:
    memory.double()
    given, episode_start = inputs(STEPS, ROWS), starts(STEPS, ROWS)
    torch.testing.assert_close(
        memory.unroll(given, given.clone(), None, episode_start), memory.unroll(given, given, None, episode_start)
    )
    steps = torch.tensor([[3, 1, 0], [2, 2, 2]])
    every = memory.read_episodes(given, given)
    for queries in (given, given.clone()):
        torch.testing.assert_close(memory.read_episodes(given, queries), every)
        torch.testing.assert_close(memory.read_episodes(given, queries, steps), every[steps, torch.arange(ROWS)])


def test_another_query_reads_something_else_and_stores_the_same(memory: Memory) -> None:
    given = inputs(STEPS, ROWS, dtype=torch.float32)
    _, state = memory.unroll(given, given)
    now, (one, other) = given[0], inputs(2, ROWS, seed=3, dtype=torch.float32)
    (read, first), (another, second) = (memory(now, query, state) for query in (one, other))
    assert memory.read_size == 0 or not torch.isclose(read, another).all(-1).any()
    for seen, too in zip(
        memory.watch(first)._replace(read=None), memory.watch(second)._replace(read=None), strict=True
    ):
        assert seen is too is None or torch.equal(seen, too)


def test_what_is_written_decides_what_is_stored(memory: Memory) -> None:
    given, query = inputs(STEPS, ROWS, dtype=torch.float32), inputs(ROWS, seed=3, dtype=torch.float32)
    _, state = memory.unroll(given, given)
    (read, first), (another, second) = (memory(write, query, state) for write in given[:2])
    contents, others = memory.watch(first).contents, memory.watch(second).contents
    assert contents is others is None or not torch.equal(contents, others)
    asks_before_it_stores = type(memory).__name__ in ("Hopfield", "NoMemory")
    assert torch.equal(read, another) == asks_before_it_stores


@pytest.mark.filterwarnings("ignore")  # of PyTorch, about itself
@pytest.mark.parametrize("name", MEMORIES)
def test_a_compiled_step_gives_the_same(name: str) -> None:
    """In one graph, with the gradients; without the code that a C++ compiler would take long to make."""
    memory, start, results = make((name, OPTIONS.get(name, [{}])[0])), torch.tensor([True, False, False]), []
    given = inputs(2, ROWS, dtype=torch.float32)
    with torch.no_grad():
        _, state = memory(given[0], given[0], memory.initial_state(ROWS))
    for compiled in (False, True):
        if compiled:
            memory.compile(backend="aot_eager", fullgraph=True)
        now = given[1].clone().requires_grad_()
        read, after = memory(now, now, state, start)
        grads = torch.autograd.grad(read.square().sum(), now) if memory.read_size else ()
        results.append((read.detach(), after, grads))
    torch.testing.assert_close(*results)


def test_what_compiles_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = make_memory("none", INPUT)
    compiled: list[Memory] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(type(memory), "compile", lambda self: compiled.append(self))
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ValueError, match=r"there is no no-such-compiler: install one"):
        compile_memory(memory)
    monkeypatch.setenv("CXX", "sh")
    assert compile_memory(memory) is memory
    assert compiled == [memory]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_agrees(case: tuple[str, dict[str, Any]]) -> None:
    place = "cuda"
    memory, there = make(case).double(), make(case).double().to(place)
    given, queries, start = inputs(STEPS, ROWS), inputs(STEPS, ROWS, seed=2), starts(STEPS, ROWS)
    one, first = memory.unroll(given, queries, memory.initial_state(ROWS), start)
    two, second = there.unroll(given.to(place), queries.to(place), there.initial_state(ROWS), start.to(place))
    assert two.device.type == place
    torch.testing.assert_close(two.cpu(), one)
    torch.testing.assert_close({name: value.cpu() for name, value in second.items()}, first)


@pytest.mark.parametrize("poison", [1.0, float("nan")])
def test_a_reset_row_answers_as_a_fresh_one(memory: Memory, poison: float) -> None:
    given, start = inputs(STEPS, ROWS, dtype=torch.float32), torch.tensor([True, False, True])
    _, used = memory.unroll(given, given)
    rows = start.nonzero().squeeze(1)
    for value in used.values():
        if value.is_floating_point():
            value.data[rows] *= poison
    now = inputs(2, ROWS, seed=2, dtype=torch.float32)
    reset, state = memory(*now, used, start)
    fresh, fresh_state = memory(*now, memory.initial_state(ROWS))
    going, going_state = memory(*now, used)
    assert torch.equal(reset[start], fresh[start])
    assert torch.equal(reset[~start], going[~start])
    for name, value in state.items():
        assert torch.equal(value[start], fresh_state[name][start]), name
        assert torch.equal(value[~start], going_state[name][~start]), name


@pytest.mark.parametrize("apart", [False, True])
def test_unrolling_is_stepping(memory: Memory, apart: bool) -> None:
    memory.double()
    given, start = inputs(STEPS, ROWS), starts(STEPS, ROWS)
    queries = inputs(STEPS, ROWS, seed=2) if apart else given
    assert start.any()
    state = memory.initial_state(ROWS)
    reads, last = memory.unroll(given, queries, state, start)
    for time in range(STEPS):
        query = queries[time] if apart else (now := given[time])
        read, state = memory(given[time] if apart else now, query, state, start[time])
        torch.testing.assert_close(reads[time], read)
    torch.testing.assert_close(last, state)


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_many_random_steps(memory: Memory, scale: float) -> None:
    rows, steps = (500, 100) if scale > 1 else (1000, 20)
    generator = torch.Generator().manual_seed(0)
    healthy = torch.tensor(True)
    with torch.no_grad():
        state = memory.initial_state(rows)
        for _ in range(steps):
            given = scale * torch.randn(rows, INPUT, generator=generator)
            read, state = memory(given, given, state)
            healthy &= read.isfinite().all()
    assert healthy
    assert all(value.isfinite().all() for value in state.values())
    check_watch(memory, state)


def test_gradients_of_large_inputs_are_numbers(memory: Memory) -> None:
    if not memory.read_size:
        pytest.skip("answers nothing: there is no gradient")
    given = (1e3 * inputs(30, 20, dtype=torch.float32)).requires_grad_()
    reads, _ = memory.unroll(given, given)
    gradients = torch.autograd.grad(reads.square().mean(), [given, *memory.parameters()], allow_unused=True)
    assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


def check_watch(memory: Memory, state: MemoryState) -> Watch:
    """The shapes and ranges that `Watch` promises."""
    watch = memory.watch(state)
    if not state:
        assert watch == Watch()
        return watch
    rows, slots = next(iter(state.values())).shape[0], int(memory.slots)  # type: ignore[arg-type]
    assert watch.read is not None
    assert watch.read.dim() == 3
    assert watch.read.shape[::2] == (rows, slots)
    assert (watch.read >= 0).all()
    assert (watch.read.sum(-1) <= 1 + 1e-5).all()
    assert watch.write is not None
    assert watch.write.shape == (rows, slots)
    assert ((watch.write >= 0) & (watch.write <= 1)).all()
    assert watch.contents is not None
    assert watch.contents.dim() == 3
    assert watch.contents.shape[:2] == (rows, slots)
    if watch.gate is not None:
        assert watch.gate.shape == (rows, 1)
        assert ((watch.gate >= 0) & (watch.gate <= 1)).all()
    return watch


def test_watching(memory: Memory) -> None:
    state = memory.initial_state(ROWS)
    check_watch(memory, state)
    for given in inputs(10, ROWS, dtype=torch.float32):
        _, state = memory(given, given, state)
        check_watch(memory, state)


@pytest.mark.parametrize("name", ["episodic", "hopfield"])
def test_which_step_lies_in_which_slot(name: str) -> None:
    """Each slot's contents are those of the step that `watch` names, and the last step is where it was written."""
    memory = make((name, {"slots": 3, "width": 4, **({"hops": 1} if name == "episodic" else {})}))
    given, start = inputs(5, 2, dtype=torch.float32), torch.zeros(5, 2, dtype=torch.bool)
    start[3, 1] = True  # the second row's step 0
    _, state = memory.unroll(given, given, None, start)
    watch = check_watch(memory, state)
    assert watch.step is not None
    assert watch.step.tolist() == [[3, 4, 2], [0, 1, -1]]
    assert check_watch(memory, memory.initial_state(2)).step.tolist() == [[-1] * 3] * 2  # type: ignore[union-attr]
    assert watch.write is not None
    assert watch.write.argmax(1).tolist() == [1, 1]
    alone = [memory.watch(memory.unroll(now[None], now[None])[1]).contents[:, 0] for now in given]  # type: ignore[index]
    for row, first in ((0, 0), (1, 3)):
        for slot, step in enumerate(watch.step[row].tolist()):
            expected = alone[first + step][row] if step >= 0 else torch.zeros(4)
            torch.testing.assert_close(watch.contents[row, slot], expected)  # type: ignore[index]


def test_unknown_names_and_options() -> None:
    with pytest.raises(KeyError, match=r"no memory 'tape': choose one of none, "):
        make_memory("tape", INPUT)
    with pytest.raises(TypeError, match="sluts"):
        make_memory("ntm", INPUT, sluts=3)


def test_misfits_are_refused(memory: Memory) -> None:
    state, fits = memory.initial_state(ROWS), torch.zeros(ROWS, INPUT)
    for write, query in ((torch.zeros(ROWS, INPUT + 1), fits), (fits, torch.zeros(ROWS, INPUT + 1))):
        with pytest.raises(ValueError, match=r"write and query must both be \(N, 4\), got \(3, \d\) and \(3, \d\)"):
            memory(write, query, state)
    with pytest.raises(ValueError, match=r"episode_start must be \(3,\) bool, got \(3,\) torch.float32"):
        memory(fits, fits, state, torch.zeros(ROWS))
    steps = torch.zeros(2, ROWS, INPUT)
    with pytest.raises(ValueError, match=r"episode_start must be \(2, 3\) bool, got \(3,\)"):
        memory.unroll(steps, steps, state, torch.zeros(ROWS, dtype=torch.bool))
    for writes, queries in ((steps[:0], steps[:0]), (steps, steps[:1])):
        with pytest.raises(ValueError, match=r"writes and queries must both be \(T, N, 4\) with T >= 1"):
            memory.unroll(writes, queries, state)
    if state:
        with pytest.raises(ValueError, match=r"start with initial_state\(2\)"):
            memory(fits[:2], fits[:2], state)
        with pytest.raises(ValueError, match=r"start with initial_state\(2\)"):
            memory.unroll(steps[:, :2], steps[:, :2], state)


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
