"""Two updates of every recipe on a device that does not exist: nothing mixes devices; the numbers are the CPU's."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

from agents.training import trainer as training
from agents.training.trainer import Trainer, train_update
from glimpse_env.tasks import TASKS, Task
from runs.environments import make_env, task_name
from runs.recipes import RECIPES
from tests.conftest import without_files
from tests.pretended_device import DEVICE, RECORD, pretended_device

STORY_MAP = "agents/story_map/"
"""Here the sizes of arrays depend on what was read."""

IN_FILES = ("Classify-v0", "TrafficSigns-v0")
"""Here pictures are decoded on the host."""

NAMES = sorted(
    name for name, recipe in RECIPES.items() if task_name(recipe.env.id) is not None and recipe.env.id not in IN_FILES
)


def small(name: str, folders: dict[str, str]):
    """The recipe with a small batch, few glimpses, short delays, and few stories."""
    recipe = RECIPES[name]
    arguments = tuple(
        re.sub("delay=.*", "delay=(1, 4)", text.replace("100k", "1k").replace("10k", "1k").replace("joint", "1"))
        for text in without_files(recipe.env.arguments)
    )
    if recipe.env.id in folders and not recipe.env.id.startswith("Babi"):
        arguments = (*arguments, f"data={folders[recipe.env.id]}")
    glimpses = recipe.env.num_glimpses and min(recipe.env.num_glimpses, 3)
    batch = min(recipe.batch, 4)
    return replace(
        recipe,
        env=replace(recipe.env, arguments=arguments, num_glimpses=glimpses),
        batch=batch,
        episodes=2 * batch,
        init_from=None,
        bucket_batches=1,
        oversample=1,
    )


def two_updates(name: str, folders: dict[str, str], device: torch.device) -> dict[str, torch.Tensor]:
    """The agent's weights after two updates."""
    recipe = small(name, folders)
    env = make_env(recipe, "train", recipe.batch, device)
    trainer = Trainer.begin(recipe, env, device)
    for _ in range(2):
        train_update(trainer)
    return {key: value.detach().cpu() for key, value in trainer.agent.state_dict().items()}


def never_waits(name: str) -> bool:
    """Whether the recipe's episodes wait for the agent, and all of them are as long."""
    task = TASKS[str(task_name(RECIPES[name].env.id))].task
    return task.interactive and task.lengths is Task.lengths


@pytest.mark.parametrize("name", NAMES)
def test_two_updates_of_every_recipe(name: str, folders: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("agents.story_map.agent.SURVEYED", 32)
    expected = two_updates(name, folders, torch.device("cpu"))

    def collect(*args, **kwargs):
        RECORD.phase = "collect"
        try:
            return training_collect(*args, **kwargs)
        finally:
            RECORD.phase = ""

    training_collect = training.collect
    monkeypatch.setattr(training, "collect", collect)
    with pretended_device() as record:
        found = two_updates(name, folders, DEVICE)
    assert not record.mixed, record.mixed
    waits = {key: n for key, n in record.waits.items() if key[0] == "collect" and not key[2].startswith(STORY_MAP)}
    # how long the longest episode of a batch is, is asked for once an update, before it is played or read
    assert sum(waits.values()) <= (0 if never_waits(name) else 2), waits
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        # What is added to all cells' logits alike has no gradient but rounding, and Adam makes a step of that.
        atol = 1e-3 if key.endswith("for_location.out.bias") else 1e-5
        torch.testing.assert_close(found[key], value, rtol=1e-3, atol=atol, msg=lambda text, key=key: f"{key}: {text}")


def test_a_crossing_is_recorded():
    with pretended_device() as record:
        there = torch.ones(3, device=DEVICE)
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        assert there.sum().item() == 3
        _ = there + torch.ones(3)
    assert sum(record.waits.values()) == 1
    assert sum(record.mixed.values()) == 1
