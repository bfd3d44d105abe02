"""Several processes make one training: the same gradients as one process, and the same weights everywhere.

Run by `torchrun`, this file is also the worker: it writes what its process ended with to a folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from agents import AgentConfig
from agents.training.distributed import all_mean, average_gradients, process_group, rank, world_size
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer, share_of, train_update
from runs.environments import make_env

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[1]


def toys(folder: Path) -> dict[str, Recipe]:
    """Find one of three figures (their images lie in `folder`) with three glimpses; and copy rows of bits."""
    env = EnvConfig("Classify-v0", images=str(folder / "figures.npz"), size=16, patch=4, scales=2, num_glimpses=3)
    images = Recipe("toy", env, AgentConfig(width=16, where_stream=16), episodes=640, batch=32, optimizer="sgd")
    reader = AgentConfig(width=16, core="lstm", memory="ntm", memory_options=("slots=6", "width=5"))
    copy = replace(images, env=EnvConfig("Copy-v0", arguments=("bits=3", "max_length=5")), agent=reader)
    return {"images": images, "copy": copy, "reward": replace(copy, answer_signal="reward", estimator="reinforce")}


def updated(recipe: Recipe) -> dict[str, dict[str, torch.Tensor]]:
    """This process's gradients and weights after one update on its share of a batch."""
    env = make_env(recipe, "train", share_of(recipe), CPU)
    trainer = Trainer.begin(recipe, env, CPU)
    for parameter in trainer.agent.parameters():
        if not parameter.any():  # behind zeros, nothing would get a gradient
            nn.init.normal_(parameter, std=0.1)
    train_update(trainer)
    named = dict(trainer.agent.named_parameters())
    gradients = {name: parameter.grad for name, parameter in named.items() if parameter.grad is not None}
    return {"gradients": gradients, "weights": {name: parameter.detach() for name, parameter in named.items()}}


def averaged() -> dict[str, Any]:
    """Means over the processes of values that differ by rank: r + 1 and its square."""
    number = float(rank() + 1)
    parameters = [nn.Parameter(torch.zeros(shape)) for shape in ((2, 3), (4,), (), (1,))]
    parameters[0].grad, parameters[2].grad = torch.full((2, 3), number), torch.tensor(number**2)
    parameters[0].grad[1] = -number
    if rank() == 1:
        parameters[3].grad = torch.ones(1)
    average_gradients(parameters)
    return {"mean": all_mean(torch.tensor([number, 10.0])), "gradients": [parameter.grad for parameter in parameters]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the toy's images lie: three classes of 8×8 figures, thirty of each."""
    folder = tmp_path_factory.mktemp("toy")
    figures = np.zeros((3, 8, 8), np.uint8)
    figures[0, 3:5], figures[1, :, 3:5], figures[2, 2:7, 2:7] = 255, 255, 160
    np.savez(folder / "figures.npz", images=figures.repeat(30, axis=0), labels=np.arange(3).repeat(30))
    return folder


@pytest.fixture(scope="module")
def two(folder: Path) -> list[dict[str, Any]]:
    """What each of two real processes, joined by gloo, ended with."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", __file__]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([*command, str(folder)], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"{number}.pt") for number in range(2)]


@pytest.mark.parametrize("name", ["images", "copy", "reward"])
def test_two_processes_train_as_one_does_on_the_union_batch(name: str, folder: Path, two: list[dict[str, Any]]) -> None:
    alone = updated(toys(folder)[name])
    assert all(gradient.any() for gradient in alone["gradients"].values())
    for process in two:
        torch.testing.assert_close(process[name], alone, rtol=0, atol=1e-6)
    torch.testing.assert_close(two[0][name]["weights"], two[1][name]["weights"], rtol=0, atol=0)


def test_means_over_two_processes_by_hand(two: list[dict[str, Any]]) -> None:
    for process in two:
        assert process["averaged"]["mean"].tolist() == [1.5, 10.0]
        matrix, absent, scalar, elsewhere = process["averaged"]["gradients"]
        assert elsewhere.tolist() == [0.5]
        assert matrix.tolist() == [[1.5] * 3, [-1.5] * 3]
        assert absent is None
        assert scalar.tolist() == 2.5


def test_nothing_of_the_group_outlives_it(two: list[dict[str, Any]]) -> None:
    """Its threads would meet an interpreter that shuts down, and sometimes abort it after a finished training."""
    assert all(process["group_gone"] for process in two)


def test_a_process_alone_joins_nothing_and_changes_nothing() -> None:
    assert (rank(), world_size()) == (0, 1)
    with process_group(CPU):
        assert not dist.is_initialized()
        result = averaged()
    assert result["mean"].tolist() == [1.0, 10.0]
    matrix, absent, scalar, elsewhere = result["gradients"]
    assert elsewhere is None
    assert matrix.tolist() == [[1.0] * 3, [-1.0] * 3]
    assert absent is None
    assert scalar.tolist() == 1.0


def test_a_batch_is_shared_evenly_or_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = toys(folder)["images"]
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert share_of(recipe) == 8
    with pytest.raises(ValueError, match="batch of 30 cannot be shared by 4 processes"):
        share_of(replace(recipe, batch=30))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with process_group(CPU):
        ended = {name: updated(recipe) for name, recipe in toys(Path(sys.argv[1])).items()} | {"averaged": averaged()}
        group = weakref.ref(dist.group.WORLD)
    torch.save({**ended, "group_gone": group() is None}, f"{sys.argv[1]}/{rank()}.pt")
