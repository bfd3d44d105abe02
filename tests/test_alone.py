"""The gradient of a DNC's links is overwritten where nobody can see it, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("numba")

from memory import dnc
from memory.compiled import step as compiled_step
from memory.compiled.alone import usual

STEPS = 4
SHAPE = {"slots": 128, "width": 4, "reads": 2}
BATCH = 8
"""With so many slots, links of as many bytes as are used again."""


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> dnc.DNC:
    monkeypatch.setattr(dnc, "compiled", lambda _: True)
    torch.manual_seed(0)
    return dnc.DNC(5, **SHAPE)  # type: ignore[arg-type]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What each step of the way back was told, the last step's first."""
    told: list[bool] = []
    ask = compiled_step.alone

    def alone(grads: tuple[Tensor | None, ...], index: int) -> bool:
        told.append(ask(grads, index))
        return told[-1]

    monkeypatch.setattr(compiled_step, "alone", alone)
    return told


def played(memory: dnc.DNC) -> tuple[Tensor, list[Tensor]]:
    """What was read, and the links after each step."""
    inputs = torch.randn(STEPS, BATCH, 5, generator=torch.Generator().manual_seed(1))
    state, reads, links = memory.initial_state(BATCH), [], []
    for input in inputs:
        read, state = memory(input, state)
        reads.append(read)
        links.append(state["links"])
    return torch.stack(reads).square().sum(), links


def gradients(memory: dnc.DNC) -> list[Tensor]:
    return torch.autograd.grad(played(memory)[0], list(memory.parameters()))  # type: ignore[return-value]


def test_in_place_and_in_a_copy_give_the_same(
    memory: dnc.DNC, told: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert usual() is not None
    here = gradients(memory)
    assert told == [False, True, True, True], "only the last step's has no gradient"
    monkeypatch.setattr(compiled_step, "alone", lambda grads, index: False)
    assert all(torch.equal(a, b) for a, b in zip(here, gradients(memory), strict=True))


def kept_by_hook(links: Tensor, keep: Callable[[Any], None]) -> None:
    links.register_hook(lambda grad: keep(grad))


def kept_detached(links: Tensor, keep: Callable[[Any], None]) -> None:
    links.register_hook(lambda grad: keep(grad.detach()))


def kept_as_part(links: Tensor, keep: Callable[[Any], None]) -> None:
    links.register_hook(lambda grad: keep(grad[1:]))


def kept_as_array(links: Tensor, keep: Callable[[Any], None]) -> None:
    links.register_hook(lambda grad: keep(grad.numpy()))


def kept_as_storage(links: Tensor, keep: Callable[[Any], None]) -> None:
    links.register_hook(lambda grad: keep(grad.untyped_storage()))


def kept_before_the_node(links: Tensor, keep: Callable[[Any], None]) -> None:
    links.grad_fn.register_prehook(lambda grads: keep(grads[2 + 4]))  # type: ignore[union-attr]


def kept_after_the_node(links: Tensor, keep: Callable[[Any], None]) -> None:
    links.grad_fn.register_hook(lambda _, grads: keep(grads[2 + 4]))  # type: ignore[union-attr]


def kept_beside_an_array(links: Tensor, keep: Callable[[Any], None]) -> None:
    def other(grad: Tensor) -> Tensor:
        keep(grad.numpy())
        return torch.from_numpy(grad.numpy())

    links.register_hook(other)


def kept_beside_a_capsule(links: Tensor, keep: Callable[[Any], None]) -> None:
    def other(grad: Tensor) -> Tensor:
        keep(grad)
        return torch.from_dlpack(grad)

    links.register_hook(other)


WAYS = (
    kept_by_hook,
    kept_detached,
    kept_as_part,
    kept_as_array,
    kept_as_storage,
    kept_before_the_node,
    kept_after_the_node,
    kept_beside_an_array,
    kept_beside_a_capsule,
)


@pytest.mark.parametrize("way", WAYS)
def test_a_gradient_that_somebody_keeps_stays_what_it_was(
    memory: dnc.DNC, told: list[bool], way: Callable[[Tensor, Callable[[Any], None]], None]
) -> None:
    loss, links = played(memory)
    expected = torch.autograd.grad(loss, links[1], retain_graph=True)[0].clone()
    told.clear()
    kept: list[Any] = []
    way(links[1], lambda grad: kept.append(grad))
    loss.backward()
    assert told == [False, True, False, True], "step 1 counts from the end as number 2"
    assert expected.any()
    (found,) = kept
    if isinstance(found, torch.UntypedStorage):
        found = torch.tensor([], dtype=torch.float32).set_(found).view(expected.shape)
    np.testing.assert_array_equal(found, expected[-len(found) :])


def test_a_gradient_that_a_hook_turns_round_is_used_as_turned(memory: dnc.DNC, told: list[bool]) -> None:
    found = []
    for turn in (lambda grad: grad.transpose(1, 2).contiguous(), lambda grad: grad.transpose_(1, 2)):
        loss, links = played(memory)
        links[1].register_hook(turn)
        found.append(torch.autograd.grad(loss, list(memory.parameters())))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert not told[-2]


def test_a_gradient_that_was_asked_for_stays_what_it_was(memory: dnc.DNC, told: list[bool]) -> None:
    loss, links = played(memory)
    (expected,) = torch.autograd.grad(loss, links[1], retain_graph=True)
    others = list(memory.parameters())
    found, *_ = torch.autograd.grad(loss, [links[1], *others], retain_graph=True)
    assert torch.equal(found, expected)
    links[1].retain_grad()
    loss.backward()
    assert torch.equal(links[1].grad, expected)  # type: ignore[arg-type]


def test_a_gradient_that_two_share_reaches_both(memory: dnc.DNC, told: list[bool]) -> None:
    inputs, found = torch.randn(2, STEPS, BATCH, 5), []
    for apart in (False, True):
        ends = []
        for part in inputs:
            state = memory.initial_state(BATCH)
            for input in part:
                _, state = memory(input, state)
            ends.append(state)
        one, other = (end["links"] * 1.0 if apart else end["links"] for end in ends)
        read, state = memory(inputs[0, 0], {**ends[0], "links": one + other})
        read, _ = memory(inputs[0, 1], state)
        told.clear()
        found.append(torch.autograd.grad(read.square().sum(), list(memory.parameters())))
        assert told[:3] == [False, True, False]
        assert told[2 + STEPS] == (not apart), "shared no longer, when the second branch is gone back over"
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("way", ["hook", "backward"])
def test_an_array_given_as_gradient_is_not_ours(memory: dnc.DNC, told: list[bool], way: str) -> None:
    loss, links = played(memory)
    given = np.ones(links[0].shape, np.float32)
    if way == "hook":
        links[1].register_hook(lambda _: torch.from_numpy(given))
        loss.backward()
    else:
        links[1].backward(torch.from_numpy(given))
    assert told[-2:] == [False, True]
    assert (given == 1).all()


@pytest.fixture
def anew() -> Iterator[None]:
    """What is usual is not known yet, and will not be known from this test."""
    usual.cache_clear()
    yield
    usual.cache_clear()


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize("where", [torch.inference_mode(), torch.no_grad(), torch.device("meta")])
def test_the_first_step_may_be_anywhere(memory: dnc.DNC, where: Any) -> None:
    state = memory.initial_state(BATCH)
    with where:
        read, _ = memory(torch.ones(BATCH, 5, device="cpu"), state)
    assert read.shape == (BATCH, 8)
    known = usual()
    usual.cache_clear()
    assert usual() == known is not None


@pytest.mark.usefixtures("anew")
def test_a_pytorch_that_does_not_tell_leaves_gradients_alone(
    memory: dnc.DNC, told: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch._C, "_storage_Use_Count")
    gradients(memory)
    assert told == [False] * STEPS
