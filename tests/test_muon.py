"""Muon's steps, against a singular value decomposition and PyTorch's own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from agents import AgentConfig, EnvSpec, PartSpec
from agents.loading import build_agent
from agents.training.muon import Muon, directions, matrices
from runs.recipes import RECIPES

SHAPES = ((24, 16), (16, 24), (16, 16), (3, 20, 16))


def test_directions_have_the_moments_singular_vectors_and_values_near_one():
    torch.manual_seed(0)
    moments = [torch.randn(shape, dtype=torch.float64) for shape in SHAPES]
    for moment, found in zip(moments, directions(moments), strict=True):
        u, _, vh = torch.linalg.svd(moment, full_matrices=False)
        values = (u.mT @ found @ vh.mT).diagonal(dim1=-2, dim2=-1)
        torch.testing.assert_close(u @ torch.diag_embed(values) @ vh, found, atol=1e-8, rtol=0)
        assert values.min() > 0.5
        assert values.max() < 1.3


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch.optim.Muon came with PyTorch 2.9")
@pytest.mark.parametrize("shape", SHAPES[:3])
def test_steps_are_those_of_pytorch(shape: tuple[int, int]):
    torch.manual_seed(0)
    start = torch.randn(shape)
    gradients = [torch.randn(shape) for _ in range(4)]
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    optimizers = [
        Muon([ours], 0.01, 0.1),
        torch.optim.Muon([theirs], 0.01, 0.1, adjust_lr_fn="match_rms_adamw"),
    ]
    for gradient in gradients:
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    # PyTorch's iterations are in bfloat16.
    torch.testing.assert_close(ours - start, theirs - start, atol=4e-4, rtol=0)


def test_a_reader_leaves_words_tables_and_answers_to_adam():
    config = RECIPES["babi-1k"].agent
    assert isinstance(config, AgentConfig)
    config = replace(config, memory_options=(*config.memory_options, "time=relative"))
    spec = EnvSpec({"tokens": PartSpec("tokens", (12,), (160,))}, {"answer": PartSpec("class", (), (50,))})
    agent = build_agent(spec, config)
    hidden = {id(p) for p in matrices(agent)}
    names = {name.removeprefix("memory.") for name, p in agent.named_parameters() if id(p) in hidden}
    stage = "stages.0."
    assert names == {
        "embed.weight",
        stage + "query_key_value.weight",
        stage + "output.weight",
        stage + "feedforward.1.weight",
        stage + "feedforward.3.weight",
        *(f"association.{name}" for name in ("maps", "asks", "marks", "linear.weight", "product.weight")),
    }
