"""The episodic memory: formulas in NumPy, the loop and the parallel unroll, the ring, the gate; it learns recall."""

from __future__ import annotations

import io
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memory import make_memory, ring
from memory.association import LARGEST
from memory.base import MemoryState
from memory.episodic import Episodic
from memory.hop import BUCKETS, TIMES, age_buckets
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
    memory: Episodic, inputs: Tensor, state: MemoryState, episode_start: Tensor | None = None
) -> tuple[Tensor, list[MemoryState]]:
    reads, states = [], []
    for step, input in enumerate(inputs):
        read, state = memory(input, state, None if episode_start is None else episode_start[step])
        reads.append(read)
        states.append(state)
    return torch.stack(reads), states


def advanced(memory: Episodic, batch: int, steps: int) -> MemoryState:
    """A state in which the rows have made different numbers of steps, at most `steps`."""
    return loop(memory, draw(steps, batch, 5, seed=3), memory.initial_state(batch), starts(steps, batch))[1][-1]


def oracle(memory: Episodic, inputs: np.ndarray) -> np.ndarray:
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
    for step, input in enumerate(inputs):
        x = linear(input, "embed")
        gates.append(1 / (1 + np.exp(-linear(x, "write_gate")[0])) if memory.write_gate is not None else 1.0)
        for hop in range(memory.hops):
            stage = f"stages.{hop % len(memory.stages)}"
            x = x + p["hop_embedding"][hop]
            query, key, value = np.split(linear(norm(x, f"{stage}.norm"), f"{stage}.query_key_value"), 3)
            slots[hop] = [*slots[hop], (step, key, value)][-memory.slots :]
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
        reads.append(norm(x, "norm"))
        if "association.maps" in p:
            first, second = chains(p, inputs[: step + 1], memory.slots)
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
def test_steps_are_the_formulas(options: dict[str, Any], slots: int):
    memory, inputs = make(slots, **options), draw(9, 2, 5)
    reads, _ = loop(memory, inputs, memory.initial_state(2))
    for row in range(2):
        np.testing.assert_allclose(reads[:, row].detach(), oracle(memory, inputs[:, row].numpy()), rtol=0, atol=1e-10)


@OPTIONS
@pytest.mark.parametrize("slots", [1, 4, 9, 20])
@pytest.mark.parametrize("before", [0, 3, 13])
@pytest.mark.parametrize("restarts", [False, True])
def test_unroll_is_the_loop(options: dict[str, Any], slots: int, before: int, restarts: bool):
    memory, inputs = make(slots, **options), draw(9, 7, 5)
    episode_start = starts(9, 7) if restarts else None
    state = advanced(memory, 7, before) if before else memory.initial_state(7)
    expected, states = loop(memory, inputs, state, episode_start)
    reads, last = memory.unroll(inputs, state, episode_start)
    torch.testing.assert_close(reads, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(last, states[-1], rtol=0, atol=1e-10)
    seen = memory.unroll_weights(inputs, state, episode_start)
    torch.testing.assert_close(seen["read"], torch.stack([s["read"] for s in states]), rtol=0, atol=1e-10)
    torch.testing.assert_close(seen["write_gate"], torch.stack([s["gate"][:, 0] for s in states]), rtol=0, atol=1e-10)


def test_unroll_is_the_loop_in_float32():
    torch.manual_seed(0)
    memory = Episodic(5, slots=16)
    inputs, episode_start = torch.randn(12, 4, 5), starts(12, 4)
    expected, states = loop(memory, inputs, memory.initial_state(4), episode_start)
    reads, last = memory.unroll(inputs, None, episode_start)
    torch.testing.assert_close(reads, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(last, states[-1], rtol=0, atol=1e-5)


def test_unroll_and_loop_have_the_same_gradient():
    memory, inputs, episode_start = make(4), draw(7, 3, 5), starts(7, 3)
    gradients = [
        torch.autograd.grad(reads.square().mean() + reads[..., 0].mean(), list(memory.parameters()))
        for reads in (
            loop(memory, inputs, memory.initial_state(3), episode_start)[0],
            memory.unroll(inputs, None, episode_start)[0],
        )
    ]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-10)


def test_a_row_just_reset_answers_bitwise_as_a_fresh_one():
    memory = make(4, time="relative").float()
    _, states = loop(memory, draw(7, 5, 5, seed=3).float(), memory.initial_state(5))
    state = states[-1]
    input, episode_start = draw(5, 5).float(), torch.tensor([True, False, True, True, False])
    read, after = memory(input, state, episode_start)
    fresh_read, fresh_after = memory(input, memory.initial_state(5))
    kept_read, kept_after = memory(input, state)
    assert torch.equal(read[episode_start], fresh_read[episode_start])
    assert torch.equal(read[~episode_start], kept_read[~episode_start])
    for name in after:
        assert torch.equal(after[name][episode_start], fresh_after[name][episode_start])
        assert torch.equal(after[name][~episode_start], kept_after[name][~episode_start])


def test_what_is_written_with_gate_0_is_never_seen():
    memory = make(8)
    assert memory.write_gate is not None
    with torch.no_grad():  # the gate looks at the first input alone, and closes where it is negative
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
    reads, state = memory.unroll(inputs)
    changed, _ = memory.unroll(other)
    assert torch.equal(reads[3:], changed[3:])
    assert not torch.equal(reads[2], changed[2])
    assert state["read"][:, :, 2].abs().max() == 0
    open_gate, _ = memory.unroll(other.index_fill(2, torch.tensor([0]), 1.0))
    assert not torch.allclose(reads[3:], open_gate[3:])


def test_a_chain_without_a_softmax_links_what_no_word_of_the_question_names():
    """Pairs (a, b), (b, c), and the question a: c is two hops away, and nothing else has anything to do with it."""
    torch.manual_seed(0)
    memory = Episodic(8, slots=4, width=16, heads=1, hops=1, associations=2)
    net = nn.Sequential(memory, nn.Linear(16, 4))
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(1)
    for _ in range(400):
        names = torch.argsort(torch.rand(64, 8, generator=generator))[:, :4]
        things = torch.eye(8)[names]  # (N, 4, 8): a, b, c, and one more
        lines = torch.stack([things[:, 0] + things[:, 1], things[:, 1] + things[:, 2], things[:, 3], things[:, 0]])
        target = (names[:, 2] < 4).long() * 2 + (names[:, 2] % 2)
        read = memory.unroll(lines)[0][-1]
        loss = F.cross_entropy(net[1](read), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.5


@pytest.mark.parametrize("name", ["episodic", "ntm"])
def test_reads_of_some_steps_are_those_of_all(name: str):
    torch.manual_seed(0)
    options = {"associations": 2, "heads": 2, "hops": 2} if name == "episodic" else {}
    memory = make_memory(name, 5, slots=6, width=4, **options).double()
    inputs = draw(9, 7, 5)
    asked = torch.randint(9, (4, 7), generator=torch.Generator().manual_seed(2))
    every = memory.read_episodes(inputs)
    torch.testing.assert_close(memory.read_episodes(inputs, asked), every[asked, torch.arange(7)], rtol=0, atol=1e-10)


def test_the_gate_begins_near_nine_tenths():
    torch.manual_seed(0)
    memory = Episodic(10)
    _, state = memory.unroll(torch.randn(3, 200, 10))
    assert state["gate"].mean().item() == pytest.approx(0.9, abs=0.03)
    assert torch.equal(Episodic(10, gate=False).unroll(torch.randn(3, 2, 10))[1]["gate"], torch.ones(2, 1))


def test_the_ring_overwrites_the_oldest():
    """With 4 slots and one hop, a read does not depend on what came 4 steps before, and does on what came 3 before."""
    memory, inputs = make(4, hops=1), draw(9, 1, 5)
    inputs.requires_grad_()
    for read in (memory.unroll(inputs)[0], loop(memory, inputs, memory.initial_state(1))[0]):
        (slope,) = torch.autograd.grad(read[8].sum() + read[8].square().sum(), inputs)
        assert (slope.abs().sum((1, 2)) > 0).tolist() == [False] * 5 + [True] * 4
    _, state = memory.unroll(inputs.detach())
    keys = [memory.unroll(inputs.detach()[step : step + 1])[1]["keys"][0, 0, :, 0] for step in range(9)]
    for slot, step in enumerate((8, 5, 6, 7)):
        torch.testing.assert_close(state["keys"][0, 0, :, slot], keys[step])


@pytest.mark.parametrize("time", TIMES)
def test_nothing_leaks_between_rows_or_from_the_future(time: str):
    memory, inputs = make(4, time=time), draw(6, 3, 5)
    inputs.requires_grad_()
    (slope,) = torch.autograd.grad(memory.unroll(inputs)[0][3, 1].square().sum(), inputs)
    touched = slope.abs().sum(2) > 0
    assert not touched[:, [0, 2]].any()
    assert touched[:, 1].tolist() == [True] * 4 + [False] * 2


def test_only_time_tells_the_order():
    """Without it a line's place in the story says nothing; with it, it does."""
    inputs = draw(5, 2, 5)
    swapped = inputs[[1, 0, 3, 2, 4]]
    blind, sighted = make(8, time="none", hops=1), make(8, time="age", hops=1)
    torch.testing.assert_close(blind.unroll(inputs)[0][4], blind.unroll(swapped)[0][4])
    assert not torch.allclose(sighted.unroll(inputs)[0][4], sighted.unroll(swapped)[0][4])


def test_weights_are_what_was_read_and_written():
    memory = make(4)
    fresh = memory.weights(memory.initial_state(2))
    assert not any(value.any() for value in fresh.values())
    for steps in (1, 3, 6):
        state = memory.unroll(draw(steps, 2, 5))[1]
        seen = memory.weights(state)
        assert {name: tuple(value.shape) for name, value in seen.items()} == {
            "read": (2, 3, 4),
            "write": (2, 4),
            "write_gate": (2, 1),
        }
        torch.testing.assert_close(seen["read"].sum(-1), torch.ones(2, 3, dtype=torch.float64))
        assert (seen["read"][:, :, min(steps, 4) :] == 0).all()
        assert seen["write"].argmax(1).tolist() == [(steps - 1) % 4] * 2
        torch.testing.assert_close(seen["write"].sum(1, keepdim=True), seen["write_gate"])


@pytest.mark.parametrize("time", TIMES)
def test_gradcheck(time: str):
    memory = make(3, time=time, width=4, hops=2)
    state = advanced(memory, 2, 3)
    names = [name for name, value in state.items() if value.is_floating_point()]
    values = [state[name].detach().requires_grad_() for name in names]
    parameters = dict(memory.named_parameters())

    def step(input: Tensor, bias: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        given_state = {**state, **dict(zip(names, given, strict=True))}
        read, after = torch.func.functional_call(
            memory, {**parameters, "hop_embedding": bias}, (input, given_state, torch.tensor([False, True]))
        )
        return read, after["keys"], after["values"], after["log_gate"], after["read"]

    inputs = draw(2, 5).requires_grad_(), memory.hop_embedding.detach().requires_grad_()
    assert torch.autograd.gradcheck(step, (*inputs, *values))
    whole = draw(5, 2, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: memory.unroll(x, None, starts(5, 2))[0], (whole,))


def test_the_state_and_the_weights_survive_a_file():
    memory, inputs = make(4), draw(3, 2, 5)
    state = {name: value.detach() for name, value in advanced(memory, 2, 5).items()}
    file = io.BytesIO()
    torch.save({"weights": memory.state_dict(), "state": state}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    other = Episodic(5, slots=4, width=8, heads=2).double()
    other.load_state_dict(loaded["weights"])
    assert torch.equal(other.unroll(inputs, loaded["state"])[0], memory.unroll(inputs, state)[0])


def test_weights_fit_a_larger_memory():
    """More slots change nothing as long as nothing was overwritten."""
    small, large, inputs = make(6), make(600), draw(6, 2, 5)
    large.load_state_dict(small.state_dict())
    torch.testing.assert_close(large.unroll(inputs)[0], small.unroll(inputs)[0])


def test_ages_share_buckets_when_old():
    bucket = age_buckets(5000)
    assert bucket[:33].tolist() == list(range(33))
    assert bucket[[64, 128, 256, 512]].tolist() == [36, 40, 44, 48]
    assert (bucket.diff() >= 0).all()
    assert (bucket.diff() <= 1).all()
    assert bucket[-1] == BUCKETS - 1


def test_ring_by_hand():
    assert ring.slot_ages(torch.tensor([1, 5]), 4).tolist() == [[1, 0, 3, 2], [1, 0, 3, 2]]
    start = torch.tensor([[False, True], [False, False], [True, False]])
    assert ring.step_times(3, torch.tensor([4, 7]), start, start.device).tolist() == [[4, 5, 0], [0, 1, 2]]
    assert ring.last_written(torch.tensor([0, 1, 6]), 4).tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


def test_large_inputs_stay_finite():
    memory = make(4, time="relative").float()
    inputs = (draw(200, 4, 5) * 10 ** (8 * torch.rand(200, 4, 1, generator=torch.Generator().manual_seed(0)))).float()
    reads, state = loop(memory, inputs, memory.initial_state(4))
    assert all(torch.isfinite(value).all() for value in (reads, *state[-1].values()))


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
        return head(memory.unroll(inputs, memory.initial_state(inputs.shape[1]))[0][-1])

    for _ in range(80):
        inputs, target = recall_batch(64, generator)
        optimizer.zero_grad()
        F.cross_entropy(answer(inputs), target).backward()
        optimizer.step()
    inputs, target = recall_batch(1000, generator)
    with torch.no_grad():
        accuracy = (answer(inputs).argmax(1) == target).float().mean().item()
    assert accuracy >= 0.95 if remembers else accuracy <= 0.2


@pytest.mark.parametrize("kind", [Episodic, Hopfield])
def test_bad_shapes(kind: type[Episodic | Hopfield]):
    memory = kind(5, slots=4, width=8)
    state, inputs = memory.initial_state(3), torch.zeros(2, 3, 5)
    with pytest.raises(ValueError, match=r"input must be \(N, 5\)"):
        memory(torch.zeros(3, 4), state)
    with pytest.raises(ValueError, match=r"initial_state\(2\)"):
        memory(torch.zeros(2, 5), state)
    with pytest.raises(ValueError, match=r"inputs must be \(T, N, 5\)"):
        memory.unroll(inputs[:0], state)
    with pytest.raises(ValueError, match=r"initial_state\(2\)"):
        memory.unroll(inputs[:, :2], state)
    with pytest.raises(ValueError, match=r"episode_start must be \(2, 3\) bool"):
        memory.unroll(inputs, state, torch.zeros(2, 3))
