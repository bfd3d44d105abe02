"""The formulas of the NTM and the DNC against NumPy, one scalar at a time as the papers write them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from memory import addressing, links, make_memory
from memory.ntm import BLANK

N, S, W, H = 2, 6, 3, 2


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def distributions(rng: np.random.Generator, *shape: int, total: float = 1.0) -> np.ndarray:
    values = rng.random(shape) ** 3
    return total * values / values.sum(-1, keepdims=True)


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max())
    return powers / powers.sum()


def check(ours: Callable[..., Tensor], expected: np.ndarray, *arguments: np.ndarray, atol: float = 1e-9) -> None:
    result = ours(*(torch.from_numpy(argument) for argument in arguments))
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("masked", [False, True])
def test_content_weights(rng: np.random.Generator, masked: bool) -> None:
    memory, keys, strengths = rng.normal(size=(N, S, W)), rng.normal(size=(N, H, W)), rng.uniform(1, 9, (N, H))
    masks = rng.random((N, H, W)) if masked else np.ones((N, H, W))
    expected = np.zeros((N, H, S))
    for n in range(N):
        for h in range(H):
            key, likeness = keys[n, h] * masks[n, h], np.zeros(S)
            for i in range(S):
                slot = memory[n, i] * masks[n, h]
                likeness[i] = key @ slot / (np.linalg.norm(key) * np.linalg.norm(slot))
            expected[n, h] = softmax(strengths[n, h] * likeness)
    # the papers' quotient has no epsilon
    check(addressing.content_weights, expected, memory, keys, strengths, *([masks] if masked else []), atol=1e-3)
    if not masked:
        check(links.match_slots, expected, memory, keys, strengths, atol=1e-3)
        check(
            links.match_slots,
            addressing.content_weights(*map(torch.from_numpy, (memory, keys, strengths))).numpy(),
            *(memory, keys, strengths),
        )


def test_a_masked_key_does_not_see_what_is_masked(rng: np.random.Generator) -> None:
    memory, key = rng.normal(size=(1, S, W)), rng.normal(size=(1, 1, W))
    mask, strength = np.array([[[1.0, 1.0, 0.0]]]), np.array([[5.0]])
    other = memory.copy()
    other[..., 2] = rng.normal(size=(1, S))
    one, two = (addressing.content_weights(*map(torch.from_numpy, (m, key, strength, mask))) for m in (memory, other))
    assert torch.equal(one, two)


def test_blank_slots_and_keys_are_like_nothing() -> None:
    blank = torch.zeros(1, S, W, requires_grad=True)
    keys = torch.zeros(1, 1, W, requires_grad=True)
    for lookup in (addressing.content_weights, links.match_slots):
        weights = lookup(blank, keys, torch.ones(1, 1))
        torch.testing.assert_close(weights, torch.full((1, 1, S), 1 / S))
        assert all(g.isfinite().all() for g in torch.autograd.grad(weights[0, 0, 0], (blank, keys)))


def test_interpolate(rng: np.random.Generator) -> None:
    content, previous = distributions(rng, N, H, S), distributions(rng, N, H, S)
    gate = rng.random((N, H))
    expected = gate[..., None] * content + (1 - gate[..., None]) * previous
    check(addressing.interpolate, expected, content, previous, gate)


@pytest.mark.parametrize("reach", [0, 1, 2])
def test_shift(rng: np.random.Generator, reach: int) -> None:
    weights, kernel = distributions(rng, N, H, S), distributions(rng, N, H, 2 * reach + 1)
    around = np.zeros((N, H, S))
    for offset in range(-reach, reach + 1):
        around[..., offset % S] = kernel[..., offset + reach]
    expected = np.zeros((N, H, S))
    for i in range(S):
        for j in range(S):
            expected[..., i] += weights[..., j] * around[..., (i - j) % S]
    check(addressing.shift, expected, weights, kernel)


def test_shift_by_one_moves_to_the_next_slot_and_around() -> None:
    weights = torch.eye(S)[None, [0, S - 1]]
    forward = torch.tensor([0.0, 0.0, 1.0]).expand(1, 2, 3)
    assert torch.equal(addressing.shift(weights, forward), torch.eye(S)[None, [1, 0]])


def test_sharpen(rng: np.random.Generator) -> None:
    weights, exponent = distributions(rng, N, H, S), rng.uniform(1, 5, (N, H))
    powers = weights ** exponent[..., None]
    check(addressing.sharpen, powers / powers.sum(-1, keepdims=True), weights, exponent, atol=1e-4)


def test_sharpen_far_and_nothing() -> None:
    weights = torch.tensor([[[0.3, 0.2, 0.1], [0.0, 0.0, 0.0]]])
    sharp = addressing.sharpen(weights, torch.full((1, 2), 1e4))
    torch.testing.assert_close(sharp, torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]))


def test_retention_and_usage(rng: np.random.Generator) -> None:
    reading, free = distributions(rng, N, H, S), rng.random((N, H))
    retained = np.ones((N, S))
    for h in range(H):
        retained *= 1 - free[:, h, None] * reading[:, h]
    check(addressing.retention, retained, reading, free)
    used, write = rng.random((N, S)), distributions(rng, N, S)
    check(addressing.usage, (used + write - used * write) * retained, used, write, retained)


def test_allocation(rng: np.random.Generator) -> None:
    used = rng.random((N, S))
    used[0, 2] = used[0, 4] = 0
    used[1] = 0.25
    expected = np.zeros((N, S))
    for n in range(N):
        free_list, product = np.argsort(used[n], kind="stable"), 1.0
        for slot in free_list:
            expected[n, slot] = (1 - used[n, slot]) * product
            product *= used[n, slot]
    check(addressing.allocation, expected, used, atol=1e-5)


def test_write_weights(rng: np.random.Generator) -> None:
    content, allocated = distributions(rng, N, S), distributions(rng, N, S, total=0.9)
    allocate, write = rng.random((N, 1)), rng.random((N, 1))
    expected = write * (allocate * allocated + (1 - allocate) * content)
    check(addressing.write_weights, expected, content, allocated, allocate, write)


def test_links_over_several_writes(rng: np.random.Generator) -> None:
    """Precedence and links of the paper, slot by slot, and the weights along them."""
    link, last = np.zeros((N, S, S)), np.zeros((N, S))
    reading = distributions(rng, N, H, S)
    for _ in range(4):
        write = distributions(rng, N, S, total=0.8)
        after = np.zeros_like(link)
        for n in range(N):
            for i in range(S):
                for j in range(S):
                    if i != j:
                        after[n, i, j] = (1 - write[n, i] - write[n, j]) * link[n, i, j] + write[n, i] * last[n, j]
        ahead = np.einsum("nij,nhj->nhi", after, reading)
        back = np.einsum("nij,nhi->nhj", after, reading)
        fused = links.follow_links(*map(torch.from_numpy, (link, last, write, reading)))
        for ours, expected in zip(fused, (after, ahead, back), strict=True):
            np.testing.assert_allclose(ours.numpy(), expected, rtol=0, atol=1e-12)
        precedence = (1 - write.sum(-1, keepdims=True)) * last + write
        check(addressing.precedence, precedence, last, write)
        link, last = after, precedence


def test_links_follow_the_order_of_writing() -> None:
    link, last, at = torch.zeros(1, 4, 4), torch.zeros(1, 4), torch.eye(4)[None, [0]]
    for slot in (2, 0, 3):
        write = torch.eye(4)[None, slot]
        link, forward, backward = links.follow_links(link, last, write, at)
        last = addressing.precedence(last, write)
    assert torch.equal(forward, torch.eye(4)[None, [3]])
    assert torch.equal(backward, torch.eye(4)[None, [2]])


def test_read_weights(rng: np.random.Generator) -> None:
    ways = [distributions(rng, N, H, S) for _ in range(3)]
    modes = distributions(rng, N, H, 3)
    expected = sum(modes[..., k, None] * way for k, way in enumerate(ways))
    check(addressing.read_weights, np.asarray(expected), *ways, modes)


def test_erase_add(rng: np.random.Generator) -> None:
    memory, weights = rng.normal(size=(N, S, W)), distributions(rng, N, H, S)
    erase, add = rng.random((N, H, W)), rng.normal(size=(N, H, W))
    expected = memory.copy()
    for h in range(H):
        expected *= 1 - weights[:, h, :, None] * erase[:, h, None]
    for h in range(H):
        expected += weights[:, h, :, None] * add[:, h, None]
    check(addressing.erase_add, expected, memory, weights, erase, add)


def leaves(rng: np.random.Generator, *shapes: tuple[int, ...]) -> list[Tensor]:
    return [torch.from_numpy(distributions(rng, *shape)).requires_grad_() for shape in shapes]


def test_gradients_by_hand(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "BLOCK", 2 * S * S)
    rows = 5
    given = leaves(rng, (rows, S, S), (rows, S), (rows, S), (rows, H, S))
    assert torch.autograd.gradcheck(links.follow_links, given)
    for outputs in ([0], [1], [2], [1, 2]):
        assert torch.autograd.gradcheck(lambda *x, o=outputs: tuple(links.follow_links(*x)[k] for k in o), given)
    assert torch.autograd.gradcheck(links.match_slots, leaves(rng, (rows, S, W), (rows, H, W), (rows, H)))


def test_a_parameter_of_the_heads_comes_from_the_write_or_from_the_query() -> None:
    interface = addressing.Interface(2, {"keys": (1, 2), "gates": (1, 0)})
    write, query = torch.randn(2, 3, 2).unbind()
    both, one, other = interface(write, query), interface(write, write), interface(query, query)
    assert {name: part.shape for name, part in both.items()} == {"keys": (3, 3), "gates": (3, 1)}
    assert torch.equal(both["keys"], torch.cat([other["keys"][:, :1], one["keys"][:, 1:]], 1))
    assert torch.equal(both["gates"], other["gates"])


def test_an_ntm_is_blank_at_first_and_learns_where_its_heads_start() -> None:
    memory = make_memory("ntm", 3, slots=6, width=4, reads=2)
    state = memory.initial_state(2)
    assert (state["memory"] == BLANK).all()
    torch.testing.assert_close(state["weights"].sum(-1), torch.ones(2, 3))
    given = torch.randn(3, 2, 3)
    reads, _ = memory.unroll(given, given, state)
    (gradient,) = torch.autograd.grad(reads.square().sum(), [memory.get_parameter("initial_weights")])
    assert gradient.abs().sum() > 0


def test_the_weights_of_an_ntm_fit_more_slots_and_its_heads_start_where_they_did() -> None:
    few, many = (make_memory("ntm", 3, slots=slots, width=4) for slots in (6, 9))
    weights = few.state_dict()
    many.load_state_dict(weights)
    assert weights["initial_weights"].shape == (2, 6), "what was given is left as it was"
    begun = many.initial_state(1)["weights"]
    torch.testing.assert_close(begun[..., :6], few.initial_state(1)["weights"])
    assert begun[..., 6:].max() < 1e-9
    with pytest.raises(RuntimeError, match="initial_weights"):
        few.load_state_dict(many.state_dict())
