"""The gradient of a DNC's links is overwritten where nobody can see it, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
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
"""With so many slots, as many bytes of links as are lent."""


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


def kept_before_the_node(links: Tensor, keep: Callable[[Any], None]) -> None:
    links.grad_fn.register_prehook(lambda grads: keep(grads[2 + 4]))  # type: ignore[union-attr]


def kept_after_the_node(links: Tensor, keep: Callable[[Any], None]) -> None:
    links.grad_fn.register_hook(lambda _, grads: keep(grads[2 + 4]))  # type: ignore[union-attr]


WAYS = (kept_by_hook, kept_detached, kept_as_part, kept_as_array, kept_before_the_node, kept_after_the_node)


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
    np.testing.assert_array_equal(found, expected[-len(found) :])


def test_a_gradient_that_was_asked_for_stays_what_it_was(memory: dnc.DNC, told: list[bool]) -> None:
    loss, links = played(memory)
    (expected,) = torch.autograd.grad(loss, links[1], retain_graph=True)
    others = list(memory.parameters())
    found, *_ = torch.autograd.grad(loss, [links[1], *others], retain_graph=True)
    assert torch.equal(found, expected)
    links[1].retain_grad()
    loss.backward()
    assert torch.equal(links[1].grad, expected)  # type: ignore[arg-type]


def test_a_gradient_that_two_share_reaches_both(memory: dnc.DNC) -> None:
    input, grads = torch.randn(2, BATCH, 5), []
    for apart in (False, True):
        first, second = (memory(part, memory.initial_state(BATCH))[1] for part in input)
        links = first["links"] * 1.0 + second["links"] * 1.0 if apart else first["links"] + second["links"]
        read, _ = memory(input[0], {**first, "links": links})
        memory.zero_grad()
        read.square().sum().backward()
        grads.append([parameter.grad.clone() for parameter in memory.parameters()])  # type: ignore[union-attr]
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


def test_an_array_given_as_gradient_is_not_ours(memory: dnc.DNC, told: list[bool]) -> None:
    _, links = played(memory)
    given = np.ones(links[0].shape, np.float32)
    links[1].backward(torch.from_numpy(given))
    assert told == [False, True]
    assert (given == 1).all()
