"""The faults found in public ports of the recurrent attention model, each with the test that would find it here.

1. The log-probability is that of the clamped sample: here.
2. The mean is detached, so that the gaze never learns: here, and `test_losses.py`, log-probabilities train the mean.
3. The last location, never looked at, is in the sum: here, and `test_losses.py`, the masks.
4. The advantage is not detached from the baseline: `test_losses.py`, the policy gradient by hand.
5. Many gaze paths are averaged at test time: here.
6. Models are selected on the test set: here.
7. A Python loop over the batch: here.
8. Distractors are cut from the shown image, or from the batch: `test_scenes.py`, pieces come from every image but the
   one shown, and a scene does not depend on its batch.
9. No robustness to scale: here, as far as the retina gives it. Training on digits of many sizes is not attempted.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from agents import AgentConfig, Trajectory, collect, evaluate
from agents.training.losses import trajectory_loss
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer
from glimpse_env.images import load_images
from glimpse_env.retina import Retina, glimpse, summed_area_table
from runs.environments import make_env
from runs.training import train

CPU = torch.device("cpu")
PAPER = replace(AgentConfig.paper(), width=32)


@pytest.fixture
def recipe(images: str) -> Recipe:
    """Find the figure on a 16×16 canvas with three glimpses of 4×4."""
    env = EnvConfig("Classify-v0", images=images, size=16, patch=4, scales=2, num_glimpses=3)
    return Recipe("toy", env, AgentConfig(width=32, where_stream=32), episodes=128, batch=64)


def wandering(recipe: Recipe, rows: int) -> Trainer:
    """A fresh agent whose gaze moves, which at first it would not."""
    trainer = Trainer.begin(recipe, make_env(recipe, "train", rows, CPU), CPU)
    for parameter in trainer.agent.policy_parameters():
        nn.init.normal_(parameter, std=0.2)
    return trainer


def drawn(trainer: Trainer, std: float) -> Trajectory:
    """Episodes whose places are drawn."""
    generator = torch.Generator().manual_seed(0)
    noise = {"location": torch.rand(3, trainer.env.num_envs, 2, generator=generator)}
    return collect(trainer.agent, trainer.env, np.arange(trainer.env.num_envs), seed=1, std=std, noise=noise)


def test_fault_1_the_log_probability_is_of_the_sample_drawn_not_of_the_clipped_fixation(recipe: Recipe) -> None:
    trajectory = drawn(wandering(recipe, 16), std=20.0)
    places, seen = trajectory.actions["location"], trajectory.observations["location"]
    assert (places.abs() > 1).any()
    assert torch.equal(seen[1:], places[:-1].clamp(-1, 1))
    expected = -((places - trajectory.params["location"]) / 20).square().sum(-1) / 2
    torch.testing.assert_close(trajectory.log_prob["location"][:-1], expected[:-1])


@pytest.mark.parametrize("config", [AgentConfig(width=32, where_stream=32), PAPER], ids=["ours", "paper"])
@pytest.mark.parametrize("estimator", ["gain", "reinforce"])
def test_fault_2_the_loss_of_an_episode_trains_every_part_of_the_gaze(
    recipe: Recipe, config: AgentConfig, estimator: Any
) -> None:
    recipe = replace(recipe, agent=config, estimator=estimator)
    trainer = wandering(recipe, 16)
    trajectory_loss(recipe, trainer.agent, drawn(trainer, 0.1))[0].backward()
    gradients = [parameter.grad for parameter in trainer.agent.policy_parameters()]
    assert all(gradient is not None and gradient.any() for gradient in gradients)


def test_fault_3_the_last_place_is_never_looked_at_and_enters_no_loss(recipe: Recipe) -> None:
    trainer = wandering(recipe, 16)
    trajectory = drawn(trainer, 0.2)
    assert trajectory.value is not None
    loss, _ = trajectory_loss(recipe, trainer.agent, trajectory)
    log_prob, value = trajectory.log_prob["location"].clone(), trajectory.value.clone()
    log_prob[-1] += torch.randn(16)
    value[-1] += torch.randn(16)
    other = trajectory._replace(log_prob={"location": log_prob}, value=value)
    torch.testing.assert_close(trajectory_loss(recipe, trainer.agent, other)[0], loss, rtol=0, atol=0)
    last = trajectory.log_prob["location"][-1].sum()
    for gradient in torch.autograd.grad(last, trainer.agent.policy_parameters(), allow_unused=True):
        assert gradient is None or not gradient.any()


def test_fault_5_an_evaluation_looks_at_the_mean_along_one_path(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = wandering(recipe, 30)
    agent, env = trainer.agent, trainer.env.env
    with torch.no_grad():
        each = [collect(agent, trainer.env, np.arange(first, first + 30), seed=5) for first in (0, 30)]
    wrong = torch.cat([trajectory.params["answer"].argmax(-1) != trajectory.target for trajectory in each], dim=1)
    means = torch.cat([trajectory.params["location"] for trajectory in each])
    looked: list[Tensor] = []
    step = env.step
    monkeypatch.setattr(env, "step", lambda action: looked.append(action["location"]) or step(action))
    first, second = evaluate(agent, env, 60, seed=5), evaluate(agent, env, 60, seed=5)
    assert len(means.flatten(0, 1).unique(dim=0)) > 60  # the agent looks around
    assert torch.equal(torch.stack(looked), torch.cat([means, means]))
    assert first == second
    assert first.error_by_step == pytest.approx((100 * wrong.double().mean(1)).tolist(), abs=1e-3)


def test_fault_6_a_training_never_opens_the_test_split(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = set()

    def spy(images: Any, labels: Any, split: str, *more: Any, **how: Any) -> Any:
        opened.add(split)
        return load_images(images, labels, split, *more, **how)

    monkeypatch.setattr("glimpse_env.tasks.image_task.load_images", spy)
    train(recipe, tmp_path, device="cpu", quiet=True)
    assert opened == {"train", "validation"}


class Operations(TorchDispatchMode):
    """The names of the operations that reach the device."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_fault_7_a_glimpse_takes_as_many_operations_for_64_episodes_as_for_2(recipe: Recipe) -> None:
    def operations(batch: int) -> list[str]:
        env = make_env(recipe, "train", batch, CPU)
        agent = Trainer.begin(recipe, env, CPU).agent
        action = {"location": torch.zeros(batch, 2), "answer": torch.zeros(batch, dtype=torch.int64)}
        env.reset(seed=0)
        env.step(action)  # computes what is computed once and kept
        with Operations() as counted:
            observation = env.step(action)
            agent(observation[0], agent.initial_state(batch))
        return counted.names

    few, many = operations(2), operations(64)
    assert "aten.addmm.default" in few  # the agent's layers are counted
    assert few == many


def test_fault_9_each_scale_sees_a_figure_twice_as_large_as_the_scale_before_it_sees_the_figure() -> None:
    """Exactly, at every pixel corner: what is too large for one scale is the next one's. Nothing else is claimed."""
    canvas = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 32), dtype=np.uint8)
    larger = canvas.repeat(2, axis=2).repeat(2, axis=3)
    x, y = np.meshgrid(np.linspace(-1, 1, 33, dtype=np.float32), np.linspace(-1, 1, 17, dtype=np.float32))
    corners = np.stack([x.ravel(), y.ravel()], axis=-1)
    tables = [summed_area_table(scene).repeat(len(corners), axis=0) for scene in (canvas, larger)]
    seen = glimpse(tables[0], corners, Retina((6, 4), 3))
    seen_larger = glimpse(tables[1], corners, Retina((6, 4), 4))
    np.testing.assert_array_equal(seen_larger[:, 1:], seen)
