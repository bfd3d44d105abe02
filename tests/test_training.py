"""Rollouts and trainings on a toy: own images, so that no data set is needed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents import AgentConfig, CNNConfig, evaluate, load_agent, play
from agents.checkpoint import load_checked, save_atomically
from runs.environments import make_env
from runs.evaluate import evaluate_checkpoint
from runs.objective import total_loss
from runs.recipe import EnvConfig, Recipe
from runs.recipes import RECIPES
from runs.train import train
from runs.trainer import Trainer, train_update

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[1]


@pytest.fixture
def recipe(images: str) -> Recipe:
    """Find the figure on a 24×24 canvas with three glimpses of 6×6."""
    env = EnvConfig("Classify-v0", images=images, size=24, patch=6, scales=2, num_glimpses=3)
    return Recipe("toy", env, AgentConfig(width=32, where_stream=32), episodes=640, batch=64, lr=3e-3)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_checked(folder / "checkpoint.pt")["agent"]["weights"]


def test_the_last_location_is_never_looked_at_and_enters_no_loss(recipe: Recipe):
    env = make_env(recipe, "train", 8, CPU)
    agent = Trainer.begin(recipe, env, CPU).agent
    rollout = play(agent, env, np.arange(8), seed=3, std=0.2, noise=torch.randn(2, 8, 2))
    assert rollout.location.shape == (3, 8, 2)
    assert rollout.log_prob.shape == rollout.value.shape == (2, 8)


def test_the_log_probability_is_of_the_sample_drawn_not_of_the_clipped_fixation(recipe: Recipe):
    env = make_env(recipe, "train", 8, CPU)
    agent = Trainer.begin(recipe, env, CPU).agent
    noise = torch.full((2, 8, 2), 20.0)  # far outside: the environment clips the fixation to 1
    rollout = play(agent, env, np.arange(8), seed=3, std=0.2, noise=noise)
    assert torch.equal(rollout.location[1:], torch.ones(2, 8, 2))
    torch.testing.assert_close(rollout.log_prob, torch.full((2, 8), -400.0), rtol=1e-4, atol=0)


def test_places_are_looked_at_as_told(recipe: Recipe):
    env = make_env(recipe, "train", 8, CPU)
    places = torch.rand(2, 8, 2) * 2 - 1
    rollout = play(Trainer.begin(recipe, env, CPU).agent, env, np.arange(8), seed=3, places=places)
    assert torch.equal(rollout.location[1:], places)
    assert len(rollout.log_prob) == 0


def test_std_without_noise_is_refused(recipe: Recipe):
    env = make_env(recipe, "train", 4, CPU)
    with pytest.raises(ValueError, match="noise"):
        play(Trainer.begin(recipe, env, CPU).agent, env, np.arange(4), std=0.1)


def test_an_evaluation_does_not_depend_on_the_width_of_the_vector(recipe: Recipe):
    wide, narrow = make_env(recipe, "test", 90, CPU), make_env(recipe, "test", 20, CPU)
    agent = Trainer.begin(recipe, wide, CPU).agent
    first, second = evaluate(agent, wide, 90), evaluate(agent, narrow, 90)
    assert first == second
    assert first.episodes == 90
    assert 0 <= first.error == first.error_by_glimpse[-1] <= 100
    with pytest.raises(ValueError, match="at least 1"):
        evaluate(agent, wide, 0)


@pytest.mark.parametrize("kind", ["single", "numpy", "NextStep", "SameStep"])
def test_an_evaluation_takes_any_environment(recipe: Recipe, images: str, kind: str):
    kwargs = {"images": images, "size": 24, "patch": 6, "scales": 2, "num_glimpses": 3, "split": "test"}
    name = "glimpse_env:Glimpse/Classify-v0"
    native = make_env(recipe, "test", 30, CPU)
    agent = Trainer.begin(recipe, native, CPU).agent
    if kind == "single":
        env = gym.make(name, order="sequential", **kwargs)
    elif kind == "numpy":
        env = gym.make_vec(name, num_envs=7, order="sequential", **kwargs)
    else:
        env = gym.make_vec(name, 7, order="sequential", backend="torch", autoreset_mode=kind, **kwargs)
    assert evaluate(agent, env, 30) == evaluate(agent, native, 30)


def test_two_shares_of_a_batch_make_the_gradient_of_the_whole(recipe: Recipe, monkeypatch: pytest.MonkeyPatch):
    """What two processes average: equal up to rounding, as the advantage's scale is shared too."""

    def gradients(batch: int, rank: int, scale: torch.Tensor | None) -> tuple[list[torch.Tensor], torch.Tensor]:
        seen: list[torch.Tensor] = []
        share = replace(recipe, batch=64)
        monkeypatch.setattr("runs.curriculum.rank", lambda: rank)
        monkeypatch.setattr(
            "runs.objective.all_mean", lambda x: seen.append(x.clone()) or (x if scale is None else scale)
        )
        env = make_env(share, "train", batch, CPU)
        trainer = Trainer.begin(share, env, CPU)
        trainer.optimizers[0].step = lambda: None  # type: ignore[method-assign]
        monkeypatch.setattr("torch.nn.utils.clip_grad_norm_", lambda *_: torch.zeros(()))
        train_update(trainer, env, CPU)
        return [p.grad.clone() for p in trainer.agent.parameters() if p.grad is not None], seen[0]

    whole, scale = gradients(64, 0, None)
    halves = [gradients(32, rank, scale) for rank in (0, 1)]
    torch.testing.assert_close((halves[0][1] + halves[1][1]) / 2, scale)
    for expected, left, right in zip(whole, halves[0][0], halves[1][0], strict=True):
        torch.testing.assert_close((left + right) / 2, expected, rtol=0, atol=1e-6)


def test_the_agent_learns_where_to_look(recipe: Recipe, tmp_path: Path):
    """Chance is 67 % wrong; shown random places, the same weights are wrong far more often than where they look."""
    recipe = replace(recipe, env=replace(recipe.env, num_glimpses=4), episodes=64 * 600)
    train(recipe, tmp_path, device="cpu", quiet=True)
    with pytest.raises(ValueError, match="no memory that could have options"):
        evaluate_checkpoint(tmp_path / "agent.pt", memory_options=("slots=2",), device="cpu")
    report = evaluate_checkpoint(tmp_path / "agent.pt", episodes=1000, device="cpu")
    assert report["error"] < 10
    assert report["error_random_gaze"] > 1.4 * report["error"]


def test_the_papers_own_form_learns(recipe: Recipe, tmp_path: Path):
    """Reward at the end, a linear location head, absolute locations: on a canvas that a glimpse nearly covers."""
    paper = RECIPES["paper-cluttered"]
    recipe = replace(
        paper, env=replace(recipe.env, size=12), agent=replace(paper.agent, width=32), episodes=40 * 1500, batch=40
    )
    assert train(recipe, tmp_path, device="cpu", quiet=True)["validation_error"] < 15


def test_a_whole_image_network_trains_by_the_same_code(recipe: Recipe, tmp_path: Path):
    env = replace(recipe.env, patch=24, scales=1, num_glimpses=1)
    recipe = replace(recipe, env=env, agent=CNNConfig("paper"), episodes=64 * 400)
    assert train(recipe, tmp_path, device="cpu", quiet=True)["validation_error"] < 5
    assert load_agent(tmp_path / "agent.pt").form.answers == 3


@pytest.mark.parametrize(
    ("memory", "optimizer"),
    [({}, "adam"), ({}, "sgd"), ({"memory": "episodic", "memory_options": ("slots=3", "dropout=0.2")}, "muon")],
)
def test_resuming_goes_on_exactly(
    recipe: Recipe, memory: dict, optimizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recipe = replace(recipe, agent=replace(recipe.agent, **memory), optimizer=optimizer)
    train(recipe, tmp_path / "whole", device="cpu", quiet=True)
    asked = iter([False] * 3 + [True] * 10)
    monkeypatch.setattr("runs.train.interruption", interrupting(lambda: next(asked)))
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "parts", device="cpu", quiet=True)
    assert load_checked(tmp_path / "parts" / "checkpoint.pt")["update"] == 4
    monkeypatch.undo()
    metrics = train(recipe, tmp_path / "parts", device="cpu", resume=True, quiet=True)
    assert metrics["episodes"] == 640
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "parts")[name]), name
    saved = [load_checked(tmp_path / name / "agent.pt") for name in ("whole", "parts")]
    assert saved[0]["training"]["validation_error"] == saved[1]["training"]["validation_error"]


def test_a_training_begins_with_the_weights_of_another(recipe: Recipe, tmp_path: Path):
    train(recipe, tmp_path / "first", device="cpu", quiet=True)
    recipe = replace(recipe, begin=str(tmp_path / "first" / "agent.pt"))
    trainer = Trainer.begin(recipe, make_env(recipe, "train", 64, CPU), CPU)
    for name, value in load_agent(recipe.begin).state_dict().items():
        assert torch.equal(value, trainer.agent.state_dict()[name]), name
    narrower = replace(recipe, agent=replace(recipe.agent, width=24))
    with pytest.raises(ValueError, match="begin with one made alike"):
        Trainer.begin(narrower, make_env(recipe, "train", 64, CPU), CPU)
    train(recipe, tmp_path / "second", device="cpu", quiet=True)
    Path(recipe.begin).unlink()
    train(recipe, tmp_path / "second", device="cpu", quiet=True, resume=True)
    with pytest.raises(FileNotFoundError, match=r"no weights at .*begin anew"):
        Trainer.begin(recipe, make_env(recipe, "train", 64, CPU), CPU)


def test_muon_without_hidden_matrices_is_refused(recipe: Recipe):
    recipe = replace(recipe, agent=AgentConfig(width=8), optimizer="muon")
    with pytest.raises(ValueError, match="hidden matrices"):
        Trainer.begin(recipe, make_env(recipe, "train", 64, CPU), CPU)


def interrupting(asked):
    @contextmanager
    def manager():
        yield asked

    return manager


def test_ctrl_c_and_resume_by_the_command_line(images: str, tmp_path: Path):
    """Two processes, a real signal, a real resume; the weights are those of an uninterrupted run."""
    common = [sys.executable, "-m", "runs.train", "classify", "--quiet", "--device", "cpu", "--processes", "2"]
    options = ["--images", images, "--size", "24", "--patch", "6", "--scales", "2", "--num-glimpses", "3"]
    options += ["--width", "32", "--batch", "64", "--episodes", "12800"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}

    def run(*arguments: str) -> subprocess.Popen:
        return subprocess.Popen([*common, *arguments], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)

    whole = run(*options, "--folder", "whole")
    _, errors = whole.communicate(timeout=300)
    assert whole.returncode == 0, errors
    first = run(*options, "--folder", "parts")
    while not (tmp_path / "parts" / "agent.pt").exists():  # written at the first validation
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    assert first.returncode != 0
    stopped = load_checked(tmp_path / "parts" / "checkpoint.pt")["update"]
    assert 0 < stopped < 200
    second = run("--resume", "parts")
    _, errors = second.communicate(timeout=300)
    assert second.returncode == 0, errors
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "parts")[name]), name


def test_a_checkpoint_of_another_recipe_is_refused_and_kept(recipe: Recipe, tmp_path: Path):
    train(replace(recipe, episodes=64), tmp_path, device="cpu", quiet=True)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(ValueError, match="another recipe"):
        train(recipe, tmp_path, device="cpu", resume=True, quiet=True)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_broken_checkpoints_say_what_to_do(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"runs\.train"):
        load_agent(tmp_path / "absent.pt")
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="damaged"):
        load_agent(damaged)
    torch.save({"weights": 1}, damaged)
    with pytest.raises(ValueError, match="not a checkpoint of this project"):
        load_agent(damaged)
    save_atomically({"agent": {"kind": "unknown"}}, damaged)
    with pytest.raises(ValueError, match="another version"):
        load_agent(damaged)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: Path) -> None:
        raise OSError("no space left on device")

    path = tmp_path / "a.pt"
    save_atomically({"value": 1}, path)
    with pytest.raises(TypeError, match="cannot pickle"):
        save_atomically({"value": threading.Lock()}, path)
    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space left"):
        save_atomically({"value": 2}, path)
    assert load_checked(path)["value"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_the_deviation_falls_evenly():
    recipe = Recipe(episodes=400, batch=100, std=0.5, std_end=0.1)
    assert [recipe.deviation(update) for update in range(4)] == pytest.approx([0.5, 0.4, 0.3, 0.2])
    assert Recipe(std=0.5).deviation(7) == 0.5


def test_recipes_survive_a_checkpoint():
    for recipe in RECIPES.values():
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    with pytest.raises(ValueError, match="another version"):
        Recipe.from_dict({**RECIPES["cluttered"].to_dict(), "unheard_of": 1})


def test_evaluating_ones_own_canvases(recipe: Recipe, images: str, tmp_path: Path):
    train(recipe, tmp_path, device="cpu", quiet=True)
    report = evaluate_checkpoint(tmp_path / "agent.pt", images=Path(images), device="cpu")
    assert report["episodes"] == 90
    assert report["glimpses"] == 3
    np.savez(tmp_path / "rgb.npz", images=np.zeros((2, 8, 8, 3), np.uint8), labels=np.array([0, 1]))
    with pytest.raises(ValueError, match="channels"):
        evaluate_checkpoint(tmp_path / "agent.pt", images=tmp_path / "rgb.npz", device="cpu")


def test_evaluate_prints_one_json_object(recipe: Recipe, tmp_path: Path):
    train(recipe, tmp_path, device="cpu", quiet=True)
    command = [sys.executable, "-m", "runs.evaluate", str(tmp_path / "agent.pt"), "--episodes", "50", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert set(report) == {
        "recipe", "env_id", "episodes", "gaze", "glimpses", "error", "error_random_gaze", "error_by_glimpse", "seconds",
    }  # fmt: skip
    assert len(report["error_by_glimpse"]) == 3
    wrong = subprocess.run([*command[:3], str(tmp_path / "none.pt")], cwd=ROOT, capture_output=True, text=True)
    assert wrong.returncode != 0
    assert wrong.stderr.startswith("error: no checkpoint")


def test_the_reward_at_the_end_is_one_for_a_right_answer(recipe: Recipe):
    env = make_env(recipe, "train", 16, CPU)
    agent = Trainer.begin(recipe, env, CPU).agent
    rollout = play(agent, env, np.arange(16), seed=0, std=0.1, noise=torch.randn(2, 16, 2))
    loss, scalars = total_loss(replace(recipe, reward="final"), rollout)
    assert torch.isfinite(loss)
    right = (rollout.answer[-1].argmax(-1) == rollout.target).float()
    expected = torch.nn.functional.mse_loss(rollout.value, right.expand(2, 16))
    torch.testing.assert_close(scalars["train/value_loss"], expected.detach())
