"""Memories and agents under `torch.autocast`: they work, their states keep full precision, the numbers stay close."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from test_memory import CASES, ROWS, inputs, make
from torch import Tensor, nn

from agents.collect import collect
from agents.evaluation import evaluating
from agents.training.losses import trajectory_loss
from agents.training.trainer import Trainer
from memory import MEMORIES
from runs.environments import make_env
from runs.recipes import RECIPES

CPU = torch.device("cpu")
HALVES = (torch.bfloat16, torch.float16)
NEAR = {torch.bfloat16: 2e-2, torch.float16: 4e-3}
"""Of the largest value, what a number may differ by: some roundings to 8 and to 11 bits."""


def halves(values: Any, name: str = "") -> list[str]:
    """The names of all tensors of half precision in nested tuples and dicts."""
    if isinstance(values, Tensor):
        return [name] if values.dtype in HALVES else []
    items = values._asdict() if hasattr(values, "_asdict") else values
    return [half for key in items for half in halves(items[key], f"{name}.{key}")] if isinstance(items, dict) else []


def assert_near(ours: Tensor, exact: Tensor, dtype: torch.dtype) -> None:
    largest = float(exact.abs().max()) if exact.numel() else 0.0
    torch.testing.assert_close(ours, exact, rtol=0, atol=NEAR[dtype] * largest)


@pytest.mark.parametrize(
    ("dtype", "apart", "whole"),
    [
        pytest.param(torch.bfloat16, False, False, id="bfloat16-one-steps"),
        pytest.param(torch.bfloat16, False, True, id="bfloat16-one-episodes"),
        pytest.param(torch.bfloat16, True, False, id="bfloat16-apart-steps"),
        pytest.param(torch.bfloat16, True, True, id="bfloat16-apart-episodes"),
        pytest.param(torch.float16, True, False, id="float16-apart-steps"),
    ],
)
@pytest.mark.parametrize("case", [*CASES, ("episodic", {"slots": 5, "width": 4, "time": "relative"})], ids=str)
def test_memories(case: tuple[str, dict[str, Any]], dtype: torch.dtype, apart: bool, whole: bool) -> None:
    """The backward pass too, outside of autocast as PyTorch recommends, and within."""
    results = []
    for enabled, within in ((False, False), (True, False), (True, True)):
        memory = make(case)
        for parameter in memory.parameters():
            if parameter.dim() == 1:  # behind zeros, nothing would get a gradient
                nn.init.normal_(parameter, std=0.3)
        given = inputs(6, ROWS, dtype=torch.float32).requires_grad_()
        query = inputs(6, ROWS, seed=2, dtype=torch.float32) if apart else given
        with torch.autocast("cpu", dtype=dtype, enabled=enabled):
            reads, state = (memory.read_episodes(given, query), {}) if whole else memory.unroll(given, query)
            loss = reads.square().sum()
        assert reads.dtype == torch.float32
        assert not halves(state)
        if memory.read_size:
            with torch.autocast("cpu", dtype=dtype, enabled=within):
                loss.backward()
            reads = torch.cat([reads.detach().flatten(), given.grad.flatten() / 10])  # type: ignore[union-attr]
        results.append(reads)
    for result in results[1:]:
        assert_near(result, results[0], dtype)


@pytest.mark.parametrize("name", [name for name in MEMORIES if name != "none"])
def test_memories_take_what_was_computed_in_half_precision(name: str) -> None:
    memory = make((name, {"slots": 5, "width": 4}))
    given = inputs(ROWS, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        read, state = memory(given, given, memory.initial_state(ROWS))
        reads = memory.read_episodes(given[None], given[None])
    assert read.dtype == reads.dtype == torch.float32
    assert not halves(state)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize(
    "name",
    [
        *(
            "classify",
            "paper-cluttered",
            "cnn-cluttered",
            "babi-1k",
            "babi-gaze-1",
            "babi-gaze-2",
            "mqar-64",
            "omniglot",
        ),
        *(f"copy-{memory}" for memory in MEMORIES),
    ],
)
def test_agents(
    name: str,
    dtype: torch.dtype,
    images: str,
    folders: dict[str, str],
    noise_digits: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every kind of encoder, core, memory and head: a trajectory, the loss and its gradient."""
    monkeypatch.setattr("agents.story_map.agent.SURVEYED", 8)
    recipe = replace(RECIPES[name], batch=4, episodes=8, init_from=None, bucket_batches=1, oversample=1)
    if recipe.env.id.startswith("Babi"):
        recipe = replace(recipe, env=replace(recipe.env, arguments=("task=1",)))
    if recipe.env.id in folders:
        own = (*recipe.env.arguments, f"data={folders[recipe.env.id]}")
        recipe = replace(recipe, env=replace(recipe.env, arguments=own))
    if recipe.env.id == "Classify-v0":
        recipe = replace(recipe, env=replace(recipe.env, images=images, size=24))
    losses = []
    for enabled in (False, True):
        trainer = Trainer.begin(recipe, make_env(recipe, "train", 4, CPU), CPU)
        given = trainer.env.given_actions("learned", 0, np.arange(4))
        with torch.autocast("cpu", dtype=dtype, enabled=enabled), evaluating(trainer.agent), torch.enable_grad():
            trajectory = collect(trainer.agent, trainer.env, np.arange(4), seed=1, given=given, watch=True)
            loss, _ = trajectory_loss(recipe, trainer.agent, trajectory, None)
            decision = trainer.agent(
                {part: value[0] for part, value in trajectory.observations.items()}, trainer.agent.initial_state(4)
            )
        loss.backward()
        gradients = [parameter.grad for parameter in trainer.agent.parameters() if parameter.grad is not None]
        assert all(gradient.dtype == torch.float32 and gradient.isfinite().all() for gradient in gradients)
        assert not halves(trajectory)
        assert not halves(decision)
        losses.append(loss.detach())
    assert_near(losses[1], losses[0], dtype)
