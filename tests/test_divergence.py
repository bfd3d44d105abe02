"""A training that diverges stops, keeps what it last saved, and says what to try."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agents import AgentConfig, load_agent
from agents.training import trainer as trainer_module
from agents.training.checkpoint import load_checked, save_atomically
from agents.training.losses import trajectory_loss
from agents.training.recipe import EnvConfig, Recipe
from runs.log import TrainingLog
from runs.training import train

DIVERGED = r"the training of toy has diverged: .* The last good checkpoint is kept\. Try a smaller --lr"


@pytest.fixture
def recipe(images: str) -> Recipe:
    env = EnvConfig("Classify-v0", images=images, size=8, patch=4, num_glimpses=2)
    return Recipe("toy", env, AgentConfig(width=16, where_stream=16), episodes=1280, batch=32)


@pytest.fixture
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two validations, and a checkpoint after every update."""
    monkeypatch.setattr("agents.training.loop.VALIDATIONS", 2)
    monkeypatch.setattr("agents.training.loop.SAVE_SECONDS", -1.0)


@pytest.mark.parametrize("fault", ["loss", "gradient"])
def test_a_loss_or_gradient_that_is_not_finite_stops_the_training(
    recipe: Recipe, fault: str, seldom: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the 25th update of 40, after the first validation."""
    updates: list[int] = []

    def faulty(*arguments: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        updates.append(len(updates) + 1)
        loss, scalars = trajectory_loss(*arguments)
        if updates[-1] < 25:
            return loss, scalars
        if fault == "loss":
            return loss * math.inf, scalars
        parameter = next(arguments[1].parameters())
        return loss + (parameter * 0).sum().abs().sqrt(), scalars  # the root has no slope at zero

    monkeypatch.setattr(trainer_module, "trajectory_loss", faulty)
    with pytest.raises(ValueError, match=DIVERGED):
        train(recipe, tmp_path, device="cpu", quiet=True)
    assert updates[-1] <= 35
    kept = load_checked(tmp_path / "checkpoint.pt")
    assert kept["update"] == 24
    assert all(value.isfinite().all() for value in kept["agent"]["weights"].values())
    load_agent(tmp_path / "agent.pt")
    monkeypatch.setattr(trainer_module, "trajectory_loss", trajectory_loss)
    assert train(recipe, tmp_path, device="cpu", resume=True, quiet=True)["episodes"] == 1280


def test_a_reader_that_diverges_leaves_no_weights(babi_folder: str, tmp_path: Path) -> None:
    env = EnvConfig("Babi-v0", arguments=(f"data={babi_folder}",))
    agent = AgentConfig(core="none", memory="episodic", width=8)
    recipe = Recipe("toy", env, agent, episodes=320, batch=16, lr=1e30, max_grad_norm=1e30)
    with pytest.raises(ValueError, match="diverged"):
        train(recipe, tmp_path, device="cpu", quiet=True)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_validation_that_is_no_number_stops_the_training(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingLog, "validate", lambda log: math.nan)
    with pytest.raises(ValueError, match="the validation came to nan"):
        train(replace(recipe, episodes=64), tmp_path, device="cpu", quiet=True)


def test_weights_that_are_not_finite_are_not_loaded(recipe: Recipe, tmp_path: Path) -> None:
    train(replace(recipe, episodes=64), tmp_path, device="cpu", quiet=True)
    saved = load_checked(tmp_path / "agent.pt")
    next(iter(saved["agent"]["weights"].values())).view(-1)[0] = math.nan
    save_atomically(saved, tmp_path / "agent.pt")
    with pytest.raises(ValueError, match="holds weights that are not finite"):
        load_agent(tmp_path / "agent.pt")
