"""The episodic memory: formulas in NumPy, the loop and the parallel unroll, the ring, the gate; it learns recall."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memory import ring
from memory.association import LARGEST
from memory.attention_block import BUCKETS, TIMES, age_buckets
from memory.base import MemoryState
from memory.episodic import Episodic
from memory.hopfield import Hopfield


def make(slots: int = 6, **options: Any) -> Episodic:
    """A small memory in float64 whose every weight matters."""
    torch.manual_seed(0)
    memory = Episodic(5, slots=slots, **{"width": 8, "heads": 2, **options}).double()
    for parameter in memory.parameters():
        nn.init.normal_(parameter, std=0.5)
    return memory


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def starts(*shape: int, rate: float = 0.2) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(2)) < rate


def loop(
    memory: Episodic | Hopfield, writes: Tensor, queries: Tensor, state: MemoryState, start: Tensor | None = None
) -> tuple[Tensor, MemoryState]:
    reads = []
    for step, write in enumerate(writes):
        query = write if queries is writes else queries[step]
        read, state = memory(write, query, state, None if start is None else start[step])
        reads.append(read)
    return torch.stack(reads), state


def advanced(memory: Episodic, batch: int, steps: int) -> MemoryState:
    """A state in which the rows have made different numbers of steps, at most `steps`."""
    given = draw(steps, batch, 5, seed=3)
    return loop(memory, given, given, memory.initial_state(batch), starts(steps, batch))[1]


def oracle(memory: Episodic, writes: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """(T, input_size) of one episode to its (T, width) reads: the formulas, with lists that grow, slot by slot."""
    p = {name: value.detach().numpy() for name, value in memory.state_dict().items()}

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return p[f"{name}.weight"] @ x + p.get(f"{name}.bias", 0.0)

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]

    def gelu(x: np.ndarray) -> np.ndarray:
        return x * np.array([0.5 * (1 + math.erf(value / math.sqrt(2))) for value in x])

    heads, d = memory.heads, memory.read_size // memory.heads
    slots: list[list[tuple[int, np.ndarray, np.ndarray]]] = [[] for _ in range(memory.hops)]
    gates, reads = [], []

    def after_hop(x: np.ndarray, query: np.ndarray, stage: str, step: int, hop: int) -> np.ndarray:
        recalled = []
        for head in range(heads):
            part = slice(head * d, (head + 1) * d)
            weights, answers = [], []
            for written, slot_key, slot_value in slots[hop]:
                age = step - written
                k, v = slot_key[part], slot_value[part]
                if f"{stage}.age_key" in p:
                    k, v = k + p[f"{stage}.age_key"][age], v + p[f"{stage}.age_value"][age]
                score = query[part] @ k / np.sqrt(d)
                if f"{stage}.age_bias" in p:
                    score += p[f"{stage}.age_bias"][age, head]
                weights.append(gates[written] * np.exp(score))
                answers.append(v)
            recalled.append(np.array(weights) @ np.array(answers) / np.sum(weights))
        x = x + linear(np.concatenate(recalled), f"{stage}.output")
        if f"{stage}.feedforward.0.weight" in p:
            net = f"{stage}.feedforward"
            x = x + linear(gelu(linear(norm(x, f"{net}.0"), f"{net}.1")), f"{net}.3")
        return x

    for step, (write, asked) in enumerate(zip(writes, queries, strict=True)):
        x, y = linear(write, "embed"), linear(asked, "embed")
        gates.append(1 / (1 + np.exp(-linear(x, "write_gate")[0])) if memory.write_gate is not None else 1.0)
        for hop in range(memory.hops):
            stage = f"stages.{hop % len(memory.stages)}"
            x, y = x + p["hop_embedding"][hop], y + p["hop_embedding"][hop]
            query, key, value = np.split(linear(norm(x, f"{stage}.norm"), f"{stage}.query_key_value"), 3)
            slots[hop] = [*slots[hop], (step, key, value)][-memory.slots :]
            x = after_hop(x, query, stage, step, hop)
            query, _, _ = np.split(linear(norm(y, f"{stage}.norm"), f"{stage}.query_key_value"), 3)
            y = after_hop(y, query, stage, step, hop)
        reads.append(norm(y, "norm"))
        if "association.maps" in p:
            first, second = chains(p, np.concatenate([writes[:step], [asked]]), memory.slots)
            reads[-1] = reads[-1] + linear(sum(first), "association.linear")
            reads[-1] = reads[-1] + gelu(linear(np.concatenate(second), "association.product"))
    return np.stack(reads)


def chains(p: dict[str, np.ndarray], inputs: np.ndarray, slots: int) -> list[list[np.ndarray]]:
    """What the last input's two chains recall of the earlier ones that are still kept, slot by slot."""
    maps, asks, marks = (p[f"association.{name}"] for name in ("maps", "asks", "marks"))
    inputs = np.stack([x * min(1.0, LARGEST / np.sqrt(np.mean(x**2) + 1e-8)) for x in inputs])
    asking, earlier = inputs[-1], list(inputs[max(0, len(inputs) - slots) : -1])
    both = []
    for number, of_chain in enumerate(np.split(maps, 2)):
        u = asking @ of_chain[0]
        links = [u]
        for hop, (key, value) in enumerate(pairwise(of_chain)):
            named = [1 + number * (asking @ asks[hop]) @ (x @ marks[hop]) for x in earlier]
            recalled = [c * (u @ (x @ key)) * (x @ value) for c, x in zip(named, earlier, strict=True)]
            links.append(np.sum(recalled, axis=0) / len(earlier) if earlier else np.zeros_like(u))
            u = u + links[-1]
        both.append(links)
    return both


OPTIONS = pytest.mark.parametrize(
    "options",
    [
        {"time": "none", "feedforward": 0, "hops": 1, "gate": False},
        {"time": "age", "hops": 3},
        {"time": "relative", "hops": 2, "shared": False},
        {"time": "age", "hops": 1, "associations": 3},
    ],
)


@OPTIONS
@pytest.mark.parametrize("slots", [1, 4, 12])
@pytest.mark.parametrize("apart", [False, True])
def test_steps_are_the_formulas(options: dict[str, Any], slots: int, apart: bool):
    memory, writes = make(slots, **options), draw(9, 1, 5)
    queries = draw(9, 1, 5, seed=4) if apart else writes
    reads, _ = loop(memory, writes, queries, memory.initial_state(1))
    expected = oracle(memory, writes[:, 0].numpy(), queries[:, 0].numpy())
    np.testing.assert_allclose(reads[:, 0].detach(), expected, rtol=0, atol=1e-10)


@OPTIONS
@pytest.mark.parametrize("slots", [1, 4, 9, 20])
def test_whole_episodes_are_the_loop(options: dict[str, Any], slots: int):
    memory, writes = make(slots, **options), draw(9, 7, 5)
    for queries in (writes, draw(9, 7, 5, seed=4)):
        expected, _ = loop(memory, writes, queries, memory.initial_state(7))
        torch.testing.assert_close(memory.read_episodes(writes, queries), expected, rtol=1e-12, atol=1e-10)


def test_whole_episodes_are_the_loop_in_float32():
    torch.manual_seed(0)
    memory = Episodic(5, slots=16)
    given = torch.randn(12, 4, 5)
    expected, _ = loop(memory, given, given, memory.initial_state(4))
    torch.testing.assert_close(memory.read_episodes(given, given), expected, rtol=0, atol=1e-5)


def test_whole_episodes_and_loop_have_the_same_gradient():
    memory, given = make(4), draw(7, 3, 5)
    gradients = [
        torch.autograd.grad(reads.square().mean() + reads[..., 0].mean(), list(memory.parameters()))
        for reads in (
            loop(memory, given, given, memory.initial_state(3))[0],
            memory.read_episodes(given, given),
        )
    ]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-10)


def test_what_is_written_with_gate_0_is_never_seen():
    memory = make(8)
    assert memory.write_gate is not None
    with torch.no_grad():  # the gate depends on the first number alone, and is 0 where this is negative
        memory.embed.weight[0] = torch.tensor([1.0, 0, 0, 0, 0])
        memory.embed.bias[0] = 0
        memory.write_gate.weight.zero_()
        memory.write_gate.weight[0, 0] = 2000
        memory.write_gate.bias.zero_()
    inputs = draw(6, 2, 5)
    inputs[:, :, 0] = 1.0
    inputs[2, :, 0] = -1.0
    other = inputs.clone()
    other[2, :, 1:] += draw(2, 4, seed=9)
    reads, state = memory.unroll(inputs, inputs)
    changed, _ = memory.unroll(other, other)
    assert torch.equal(reads[3:], changed[3:])
    assert not torch.equal(reads[2], changed[2])
    assert state["read"][:, :, 2].abs().max() == 0
    opened = other.index_fill(2, torch.tensor([0]), 1.0)
    open_gate, _ = memory.unroll(opened, opened)
    assert not torch.allclose(reads[3:], open_gate[3:])


def test_a_chain_without_a_softmax_links_what_no_word_of_the_question_names():
    """Pairs (a, b), (b, c), and the question a: c is two hops away, and nothing else has anything to do with it."""
    torch.manual_seed(0)
    memory = Episodic(8, slots=4, width=16, heads=1, hops=1, associations=2)
    net = nn.Sequential(memory, nn.Linear(16, 4))
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):
        names = torch.argsort(torch.rand(64, 8, generator=generator))[:, :4]
        things = torch.eye(8)[names]  # (N, 4, 8): a, b, c, and one more
        lines = torch.stack([things[:, 0] + things[:, 1], things[:, 1] + things[:, 2], things[:, 3], things[:, 0]])
        target = (names[:, 2] < 4).long() * 2 + (names[:, 2] % 2)
        read = memory.unroll(lines, lines)[0][-1]
        loss = F.cross_entropy(net[1](read), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.5


def test_reads_of_some_steps_are_those_of_all():
    memory, writes = make(6, associations=2, hops=2, time="relative"), draw(9, 7, 5)
    steps = torch.randint(9, (4, 7), generator=torch.Generator().manual_seed(2))
    for queries in (writes, draw(9, 7, 5, seed=4)):
        every = memory.read_episodes(writes, queries)
        some = memory.read_episodes(writes, queries, steps)
        torch.testing.assert_close(some, every[steps, torch.arange(7)], rtol=0, atol=1e-10)


def test_a_question_apart_reads_without_being_stored():
    """A question asked of a story beside its last line recalls the lines; later steps do not recall the question."""
    memory, story, questions = make(8), draw(6, 2, 5), draw(6, 2, 5, seed=4)
    reads, state = memory.unroll(story, questions)
    other = questions.clone()
    other[3] += 1
    changed, after = memory.unroll(story, other)
    assert torch.equal(reads[[0, 1, 2, 4, 5]], changed[[0, 1, 2, 4, 5]])
    assert not torch.isclose(reads[3], changed[3]).any()
    assert all(torch.equal(value, after[name]) for name, value in state.items())


def test_the_gate_begins_near_nine_tenths():
    torch.manual_seed(0)
    memory, given = Episodic(10, slots=8), torch.randn(3, 200, 10)
    assert memory.unroll(given, given)[1]["gate"].mean().item() == pytest.approx(0.9, abs=0.03)
    assert torch.equal(Episodic(10, gate=False).unroll(given, given)[1]["gate"], torch.ones(200, 1))


def test_the_ring_overwrites_the_oldest():
    """With 4 slots and one hop, a read does not depend on what came 4 steps before, and does on what came 3 before."""
    memory, inputs = make(4, hops=1), draw(9, 1, 5)
    inputs.requires_grad_()
    for read in (memory.unroll(inputs, inputs)[0], loop(memory, inputs, inputs, memory.initial_state(1))[0]):
        (slope,) = torch.autograd.grad(read[8].sum() + read[8].square().sum(), inputs)
        assert (slope.abs().sum((1, 2)) > 0).tolist() == [False] * 5 + [True] * 4
    given = inputs.detach()
    _, state = memory.unroll(given, given)
    keys = [memory.unroll(now[None], now[None])[1]["keys"][0, 0, :, 0] for now in given]
    for slot, step in enumerate((8, 5, 6, 7)):
        torch.testing.assert_close(state["keys"][0, 0, :, slot], keys[step])


@pytest.mark.parametrize("time", TIMES)
def test_nothing_leaks_between_rows_or_from_the_future(time: str):
    memory, inputs = make(4, time=time), draw(6, 3, 5)
    inputs.requires_grad_()
    (slope,) = torch.autograd.grad(memory.unroll(inputs, inputs)[0][3, 1].square().sum(), inputs)
    touched = slope.abs().sum(2) > 0
    assert not touched[:, [0, 2]].any()
    assert touched[:, 1].tolist() == [True] * 4 + [False] * 2


def test_without_time_the_order_makes_no_difference():
    inputs = draw(5, 2, 5)
    swapped = inputs[[1, 0, 3, 2, 4]]
    blind, sighted = make(8, time="none", hops=1), make(8, time="age", hops=1)
    torch.testing.assert_close(blind.unroll(inputs, inputs)[0][4], blind.unroll(swapped, swapped)[0][4])
    assert not torch.allclose(sighted.unroll(inputs, inputs)[0][4], sighted.unroll(swapped, swapped)[0][4])


def test_watch_is_what_was_read_and_written():
    memory = make(4)
    fresh = memory.watch(memory.initial_state(2))
    assert not any(value.any() for value in (fresh.read, fresh.write, fresh.gate, fresh.contents))  # type: ignore[union-attr]
    for steps in (1, 3, 6):
        given = draw(steps, 2, 5)
        state = memory.unroll(given, given)[1]
        read, write, gate, contents, _ = memory.watch(state)
        assert read is not None
        assert write is not None
        assert read.shape == (2, 3, 4)
        torch.testing.assert_close(read.sum(-1), torch.ones(2, 3, dtype=torch.float64))
        assert (read[:, :, min(steps, 4) :] == 0).all()
        assert write.argmax(1).tolist() == [(steps - 1) % 4] * 2
        torch.testing.assert_close(write.sum(1, keepdim=True), gate)
        values = state["values"][:, -1]  # (N, heads, slots, width / heads)
        torch.testing.assert_close(contents, torch.cat([values[:, 0], values[:, 1]], -1))


@pytest.mark.parametrize("time", TIMES)
def test_gradcheck_by_the_state(time: str):
    memory = make(3, time=time, width=4, hops=2)
    state = advanced(memory, 2, 3)
    names = [name for name, value in state.items() if value.is_floating_point()]
    values = [state[name].detach().requires_grad_() for name in names]

    def step(write: Tensor, query: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        given_state = {**state, **dict(zip(names, given, strict=True))}
        read, after = memory(write, query, given_state, torch.tensor([False, True]))
        return read, after["keys"], after["values"], after["log_gate"], after["read"]

    write, query = (draw(2, 5, seed=seed).requires_grad_() for seed in (1, 2))
    assert torch.autograd.gradcheck(step, (write, query, *values))


def test_weights_fit_a_larger_memory():
    """More slots change nothing as long as nothing was overwritten."""
    small, large, inputs = make(6), make(600), draw(6, 2, 5)
    large.load_state_dict(small.state_dict())
    torch.testing.assert_close(large.unroll(inputs, inputs)[0], small.unroll(inputs, inputs)[0])


def test_large_ages_share_buckets():
    bucket = age_buckets(5000)
    assert bucket[:33].tolist() == list(range(33))
    assert bucket[[64, 128, 256, 512]].tolist() == [36, 40, 44, 48]
    assert (bucket.diff() >= 0).all()
    assert (bucket.diff() <= 1).all()
    assert bucket[-1] == BUCKETS - 1


def test_ring_by_hand():
    assert ring.slot_ages(torch.tensor([1, 5]), 4).tolist() == [[1, 0, 3, 2], [1, 0, 3, 2]]
    time, age = ring.episode_ages(torch.zeros(3, 2, 1))
    assert time.tolist() == [[0, 1, 2]]
    assert age.tolist() == [[[0, -1, -2], [1, 0, -1], [2, 1, 0]]]
    put = ring.put(torch.zeros(2, 3, 1), torch.ones(2, 1, 1), ring.slot_ages(torch.tensor([1, 5]), 3))
    assert put[..., 0].tolist() == [[0, 1, 0], [0, 0, 1]]
    assert ring.stored_steps(torch.tensor([0, 1, 6]), 4).tolist() == [[-1] * 4, [0, -1, -1, -1], [4, 5, 2, 3]]
    assert ring.last_written(torch.tensor([0, 1, 6]), 4).tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


def test_large_inputs_stay_finite():
    memory = make(4, time="relative").float()
    inputs = (draw(200, 4, 5) * 10 ** (8 * torch.rand(200, 4, 1, generator=torch.Generator().manual_seed(0)))).float()
    reads, state = loop(memory, inputs, inputs, memory.initial_state(4))
    assert all(torch.isfinite(value).all() for value in (reads, *state.values()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, "multiple of heads"),
        ({"hops": 0}, "at least 1"),
        ({"slots": 0}, "at least 1"),
        ({"time": "hour"}, "none, age, relative"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Episodic(5, **options)


def recall_batch(n: int, generator: torch.Generator, pairs: int = 7, symbols: int = 8) -> tuple[Tensor, Tensor]:
    """`pairs` steps of (key, value), then a key alone: (pairs + 1, n, 2 symbols), and the values to say (n,)."""
    keys = torch.rand(n, symbols, generator=generator).argsort(1)[:, :pairs]
    values = torch.randint(0, symbols, (n, pairs), generator=generator)
    asked, row = torch.randint(0, pairs, (n,), generator=generator), torch.arange(n)
    inputs = torch.zeros(pairs + 1, n, 2 * symbols)
    inputs[:pairs, :, :symbols] = F.one_hot(keys.T, symbols)
    inputs[:pairs, :, symbols:] = F.one_hot(values.T, symbols)
    inputs[pairs, :, :symbols] = F.one_hot(keys[row, asked], symbols)
    return inputs, values[row, asked]


@pytest.mark.parametrize(("remembers", "kind"), [(True, Episodic), (True, Hopfield), (False, Episodic)])
def test_recall_is_learnt_and_needs_the_memory(remembers: bool, kind: type[Episodic | Hopfield]):
    """A key is shown again, and its value is to be said; the control sees the last step alone."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    memory, head = kind(16, slots=8, width=32), nn.Linear(32, 8)
    optimizer = torch.optim.Adam([*memory.parameters(), *head.parameters()], 3e-3)

    def answer(inputs: Tensor) -> Tensor:
        inputs = inputs if remembers else inputs[-1:]
        return head(memory.unroll(inputs, inputs)[0][-1])

    for _ in range(80):
        inputs, target = recall_batch(64, generator)
        optimizer.zero_grad()
        F.cross_entropy(answer(inputs), target).backward()
        optimizer.step()
    inputs, target = recall_batch(1000, generator)
    with torch.no_grad():
        accuracy = (answer(inputs).argmax(1) == target).float().mean().item()
    assert accuracy >= 0.95 if remembers else accuracy <= 0.2


@pytest.mark.parametrize("alike", [0.0, 3.0])
def test_a_recall_may_begin_by_likeness(alike: float) -> None:
    """Of what was written, a step recalls what is like it, and not itself; without `alike`, nothing in particular."""
    torch.manual_seed(0)
    memory = Episodic(16, slots=8, width=32, heads=4, hops=1, alike=alike)
    rows = torch.randn(64, 7, 16)
    which = torch.arange(64) % 6
    rows[:, 6] = rows[torch.arange(64), which] + 0.3 * torch.randn(64, 16)
    state = memory.initial_state(64)
    for step in rows.unbind(1):
        _, state = memory(step, step, state)
    recalled = state["read"][:, 0]
    right = (recalled[:, :7].argmax(1) == which).float().mean()
    assert right > 0.95 if alike else right < 0.5


def test_likeness_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="alike must be a number of at least 0, got -1"):
        Episodic(4, alike=-1)


def test_a_share_without_associations_is_refused() -> None:
    with pytest.raises(ValueError, match=r"share is of what associations recall, and there are none: got share=0\.5"):
        Episodic(4, share=0.5)
