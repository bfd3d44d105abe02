"""The vector environments that training, evaluation and pictures use."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from agents.external_env import ExternalEnv
from agents.look import canvas_task
from agents.nearest import refusing_arguments
from agents.options import parse_options
from agents.training.distributed import local_rank, world_size
from agents.training.recipe import OWN_PICTURES, Recipe
from glimpse_env.images import Split
from glimpse_env.rng import draw_words, uniform
from glimpse_env.sources import SOURCES
from glimpse_env.tasks import TASKS

MADE_UP = 1000
"""Episodes of a task that makes them up which count as all there is."""

EVALUATION_BYTES = 2**26
"""Of canvases, and of their tables if there are any, that are held side by side where nothing is trained, on the CPU:
large canvases are shown fewer at a time, which changes no number."""

GAZE_STREAM = 2
"""Random stream of the scripted gaze "random" in other people's environments, as in Glimpse's own."""


def task_name(id: str) -> str | None:
    """The task that an id such as `Copy-v0`, `Glimpse/Copy-v0` or `module:Glimpse/Copy-v0` names; None for others."""
    module, _, name = id.rpartition(":")
    if module and not name.startswith("Glimpse/"):
        return None
    if module:
        try:
            importlib.import_module(module)  # registers its tasks
        except ImportError:
            return None  # said, with its cause, when the environment is made
    name = name.removeprefix("Glimpse/")
    return name if name in TASKS else None


def make_env(
    recipe: Recipe,
    split: str,
    batch: int,
    device: str | torch.device,
    *,
    training: bool | None = None,
    **overrides: Any,
) -> Any:
    """The recipe's environment, `batch` episodes side by side; Glimpse's own with tensors on `device`.

    Training draws its images and stories at random; elsewhere each is shown once, in order, and there may be fewer than
    `batch` side by side, see `EVALUATION_BYTES`. Tasks that make their episodes up have no splits: there the seed
    separates training from test. `training` as in `split_kwargs`.

    Raises:
        ValueError: for an environment that cannot be made, or that the agent does not go with.
    """
    name = task_name(recipe.env.id)
    if name is None:
        return make_external(recipe, batch, reseed=split == "train")
    kwargs = split_kwargs(name, split, {**recipe.env.kwargs(), **overrides}, training=training)
    trains = split == "train" if training is None else training
    env = make_vec(name, batch if trains else rows_for(name, batch, device, kwargs), device, **kwargs)
    check_whole(recipe, env)
    return env


def rows_for(name: str, most: int, device: str | torch.device, kwargs: dict[str, Any]) -> int:
    """How many episodes of the task `name` an evaluation shows side by side: `most`, or those of `EVALUATION_BYTES`."""
    if "images" not in TASKS[name].task.paths or torch.device(device).type != "cpu":
        return most
    task = make_vec(name, 1, device, **kwargs).unwrapped.task
    return max(1, min(most, EVALUATION_BYTES // max(1, task.row_bytes)))


def make_vec(name: str, batch: int, device: str | torch.device, **kwargs: Any) -> Any:
    """`gym.make_vec` of a Glimpse task on torch, whose rows wait at their ends.

    Raises:
        ValueError: for an argument that the task does not take.
    """
    with refusing_arguments(TASKS[name].task):
        return gym.make_vec(
            f"glimpse_env:Glimpse/{name}",
            num_envs=batch,
            backend="torch",
            device=str(device),
            autoreset_mode="Disabled",
            **kwargs,
        )


def split_kwargs(name: str, split: str, kwargs: dict[str, Any], *, training: bool | None = None) -> dict[str, Any]:
    """The arguments of a split of the task `name`: variety in training alone, and elsewhere each episode in order.

    `training` is whether the environment trains; None is where the split is "train".
    """
    task, training = TASKS[name].task, split == "train" if training is None else training
    if task.splits:
        kwargs = {"order": "random" if training else "sequential", **kwargs, "split": split}
    return kwargs if training else {key: value for key, value in kwargs.items() if key not in task.variety}


def make_external(recipe: Recipe, batch: int, *, reseed: bool = False) -> ExternalEnv:
    """Somebody else's environment that the recipe names: its own vector form where it has one. `reseed` as there.

    Raises:
        ValueError: for an environment that cannot be made, or that the agent cannot be joined to.
    """
    if world_size() > 1:
        raise ValueError("in somebody else's environment one process trains: leave --processes out")
    try:
        arguments: dict[str, Any] = {**parse_options(recipe.env.arguments)}
        env = gym.make_vec(recipe.env.id, num_envs=batch, **arguments)
    except Exception as error:  # whatever other people's code raises
        raise ValueError(f"--env {recipe.env.id} could not be made ({type(error).__name__}: {error})") from error
    gaze = partial(random_motions, recipe.seed)
    return ExternalEnv(env, recipe.env.names(), recipe.env.num_glimpses or 0, gaze, reseed)


def random_motions(own_seed: int, seed: int, episodes: np.ndarray, steps: int, size: int) -> np.ndarray:
    """(steps, N, size) float32, uniform in [-1, 1]: a function of `own_seed` and the episode, whatever the run's
    `seed`."""
    numbers = np.asarray(episodes, np.int64)
    words = draw_words(np.full_like(numbers, own_seed), numbers, size * steps, GAZE_STREAM)
    return uniform(words).reshape(len(numbers), steps, size).transpose(1, 0, 2) * 2 - 1


def make_canvas_env(
    recipe: Recipe,
    agent: Any,
    names: dict[str, list[str]],
    images: str | Path,
    batch: int,
    device: str | torch.device,
    split: Split | None = None,
) -> Any:
    """An environment that shows the user's own canvases, each once, to a trained agent.

    Args:
        recipe: of the agent.
        agent: as it was loaded.
        names: of its weight file (`agents.names.names_in`): labels are mapped onto its classes by name.
        images: a folder or an .npz file.
        batch: episodes side by side, at most.
        device: where the tensors are.
        split: of the canvases. None is the test split of those that the agent was trained on, and all of any others.

    Raises:
        ValueError: for an agent that sees no images, or canvases of other channels or classes than it knows.
    """
    part, name = agent.spec.named("glimpse"), task_name(recipe.env.id)
    if part is None or name is None or not (name in OWN_PICTURES or TASKS[name].task.shows_pictures):
        raise ValueError(f"--images are for agents that look at images, not for {recipe.name}")
    channels = agent.spec.observation[part].shape[1]
    id, kwargs = canvas_task(recipe.env, agent.spec)
    kwargs |= {"images": str(images), "split": split or ("test" if trained_on(recipe, images) else "all")}
    kwargs["classes"] = _classes(recipe, names)
    name = task_name(id) or name
    env = make_vec(name, rows_for(name, batch, device, kwargs), device, **kwargs)
    found = env.single_observation_space[part].shape[1]
    if found != channels:
        raise ValueError(f"{images} has {found} channels and the agent was trained on {channels}")
    check_whole(recipe, env)
    return env


def trained_on(recipe: Recipe, images: str | Path) -> bool:
    """Whether the recipe's own images are those at this path."""
    own = recipe.env.images
    return own is not None and Path(own).expanduser().resolve() == Path(images).expanduser().resolve()


def _classes(recipe: Recipe, names: dict[str, list[str]]) -> list[str]:
    """What an agent calls its classes; files from before these were kept are of named datasets.

    Raises:
        ValueError: where that is not known.
    """
    if "classes" in names:
        return names["classes"]
    if recipe.env.images is not None or task_name(recipe.env.id) in OWN_PICTURES:
        raise ValueError(f"the weights of {recipe.name} do not say what their classes are called: train them anew")
    return list(SOURCES[recipe.env.dataset or "mnist"].names)


def check_whole(recipe: Recipe, env: Any) -> None:
    """Refuse to show a whole-image network less, or more, than the whole image."""
    if recipe.agent.saccades != "none" or "glimpse" in recipe.agent.ignore:
        return
    canvas, patch = env.unwrapped.task.canvas_size, env.single_observation_space["glimpse"].shape[2:]
    if canvas != patch or canvas[0] % 2 or canvas[1] % 2:
        raise ValueError(
            f"a whole-image network sees {patch[0]}×{patch[1]} pixels and the canvas has {canvas[0]}×{canvas[1]}: "
            "set --patch to the size of the canvas, an even number"
        )


def episodes_in(env: Any) -> int:
    """How many episodes show all there is to show, each once; `MADE_UP` where the task makes them up."""
    return env.metadata.get("num_episodes") or MADE_UP


def sample_episodes(episodes: int, total: int, *, more: bool = False) -> np.ndarray:
    """Episode numbers: all of `total` where that is no more than `episodes`, else as many drawn from all of them.

    With `more`, there are episodes beyond `total`, so that none need be left out.

    Raises:
        ValueError: for fewer than one.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    if episodes >= total:
        return np.arange(episodes if more else total)
    return np.sort(np.random.default_rng(0).choice(total, episodes, replace=False))


def pick_device(name: str) -> torch.device:
    """The device called `name`; "auto" is the GPU where there is one; under `torchrun` each process has its own.

    Raises:
        ValueError: for an unknown device, or one that this machine does not have.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"--device {name}: unknown; use auto, cpu, cuda or cuda:1") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"--device {name}: this machine has no CUDA device; use --device cpu or auto")
    if device == torch.device("cuda") and world_size() > 1:
        device = torch.device("cuda", local_rank())
    try:
        torch.ones(1, device=device).item()  # PyTorch names more devices than it has
    except (RuntimeError, AssertionError, ImportError) as error:
        cause = str(error).partition("\n")[0].partition(". ")[0]
        raise ValueError(f"--device {device}: it cannot be used here ({cause}); use --device cpu or auto") from error
    return device
