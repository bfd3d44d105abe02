"""One picture, one call: what a trained agent takes it for, where it looked, and what it saw there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from agents.evaluation import play
from agents.loading import resized
from agents.nearest import nearest_file
from agents.spec import EnvSpec, spec_of
from agents.training.recipe import ANY_PICTURES, OWN_PICTURES, EnvConfig, Recipe

AS_TRAINED = ("num_glimpses", "resize", "fit", "background", "start", "saccades")
"""Arguments of the recipe's environment that say how a canvas is seen, beside those that the spec tells."""
SEEN = ("glimpse", "place", "clock", "overview")
"""Roles of what tasks of images show."""


class Look(NamedTuple):
    """What an agent made of one picture, in T glimpses, as one of K classes.

    Attributes:
        label: the name of the class that is most probable after the last glimpse.
        probabilities: of each class by its name, after the last glimpse; in [0, 1], of sum 1.
        fixations: (T, 2) float32, (x right, y down) in pixels of the picture as it was given, from (0, 0), its top left
            corner, to (width, height); outside where the picture was fitted into a canvas, and does not cover it.
        path: (T, 2) float32, the same in [-1, 1] of the canvas, as environments and agents have them.
        glimpses: (T, scales, C, h, w) float32 in [0, 1], what the retina saw, finest scale first.
        beliefs: (T, K) float32, the probabilities after each glimpse.
    """

    label: str
    probabilities: dict[str, float]
    fixations: np.ndarray
    path: np.ndarray
    glimpses: np.ndarray
    beliefs: np.ndarray


def look(agent: Any, pictures: Any, *, seed: int = 0) -> Look | list[Look]:
    """Look at a picture, or at several, as the agent looked at its images in training.

    Each picture is a canvas of its own, of any size: fixations are relative to it. Where the agent was trained with
    `resize` or `fit`, a picture is shrunk or fitted to the canvas likewise; an overview has as many rows and columns as
    in training, whatever the picture's shape. Grey pictures are shown in RGB, or those in RGB in grey, where the agent
    was trained on the other; this is said once. What is seen is what `Glimpse/Classify-v0` and its kin show, bit for
    bit. An agent for `Glimpse/TrafficSigns-v0` is shown pictures by `Glimpse/Classify-v0`, too.

    Args:
        agent: loaded by `load_agent`, and trained on images. Its gaze is that of its recipe.
        pictures: an array (H, W), (H, W, 1) or (H, W, 3) uint8, or what NumPy makes one of; the path of an image file;
            the path of a folder, which means all files in it that are not hidden, in the order of their names; or a
            list of arrays and paths.
        seed: of the first fixation where the agent was trained with `start="random"`, and of a random gaze.

    Returns:
        A `Look`; of a folder or a list, a list of them in its order.

    Raises:
        FileNotFoundError: for a path where there is nothing.
        ValueError: for an agent that was not loaded or not trained on images, an array of another type or shape, a
            folder or list without a picture, a file that is no image, or a picture that a whole-image network does not
            take.
    """
    one = not isinstance(pictures, (list, tuple)) and not (_is_path(pictures) and Path(pictures).expanduser().is_dir())
    seen = {number: found for number, found, _ in looks(agent, [pictures] if one else pictures, seed=seed)}
    return seen[0] if one else [seen[number] for number in range(len(seen))]


def looks(agent: Any, pictures: Any, *, seed: int = 0) -> Iterator[tuple[int, Look, np.ndarray]]:
    """The looks of `look` at a folder or a list one by one, arrays of one shape together.

    Yields:
        the number of a picture, its look, and the canvas (H, W, C) uint8 that was looked at: read-only, and perhaps
        shrunk and in other channels than the picture.
    """
    if _is_path(pictures):
        pictures = files_in(Path(pictures).expanduser())
    if not len(pictures):
        raise ValueError("no pictures: give at least one")
    groups: dict[Any, list[int]] = {}
    checked = [_checked(picture) for picture in pictures]
    for number, picture in enumerate(checked):
        key = number if isinstance(picture, Path) else picture.shape
        groups.setdefault(key, []).append(number)
    for numbers in groups.values():
        group = [checked[number] for number in numbers]
        for number, (found, canvas) in zip(numbers, _look_at(agent, group, seed), strict=True):
            yield number, found, canvas


def files_in(folder: Path) -> list[Path]:
    """All files in a folder that are not hidden, in the order of their names.

    Raises:
        ValueError: where there are none.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        raise ValueError(f"{folder} has no pictures: name a folder of image files")
    return files


def canvas_task(trained: EnvConfig, spec: EnvSpec) -> tuple[str, dict[str, Any]]:
    """A task that shows images as canvases of their own, and as they were seen in training: its id, and arguments.

    Raises:
        ValueError: for an agent that names no images.
    """
    part, answer = spec.named("glimpse"), spec.action.get("answer")
    seen = {seen.role for seen in spec.observation.values()}
    if part is None or answer is None or answer.role != "class" or not seen <= set(SEEN):
        raise ValueError(f"pictures are for agents that name what they see in glimpses of images, not for {trained.id}")
    scales, _, *patch = spec.observation[part].shape
    name = trained.id.removeprefix("glimpse_env:").removeprefix("Glimpse/")
    given = {**OWN_PICTURES.get(name, {}), **trained.kwargs()}
    overview = spec.named("overview")
    kwargs = {"patch": tuple(patch), "scales": scales, "pieces": 0, "dataset": None, "order": "sequential"}
    kwargs["overview"] = None if overview is None else spec.observation[overview].shape[1:]
    kwargs |= {key: given[key] for key in AS_TRAINED if key in given}
    if given.get("fit", "pad") == "pad":
        kwargs["size"] = None  # that of each picture
    elif "size" in given:
        kwargs["size"] = given["size"]
    if ":" in name:  # of another module
        return trained.id, kwargs
    return f"glimpse_env:Glimpse/{ANY_PICTURES if name in OWN_PICTURES else name}", kwargs


def _look_at(agent: Any, group: list[Any], seed: int) -> list[tuple[Look, np.ndarray]]:
    """The looks at arrays of one shape, or at one file, and their canvases."""
    if not agent.trained.get("recipe"):
        raise ValueError("this agent does not know how it was trained: save it, and load it with agents.load_agent")
    recipe, spec = Recipe.from_dict(agent.trained["recipe"]), agent.spec
    id, kwargs = canvas_task(recipe.env, spec)
    part = spec.named("glimpse")
    classes = agent.trained["names"].get("classes") or [str(k) for k in range(spec.action["answer"].sizes[0])]
    images = [str(group[0])] if isinstance(group[0], Path) else _stacked(group)
    kwargs |= {"images": images, "labels": np.zeros(len(group), np.int64), "names": classes, "split": "all"}
    kwargs["channels"] = spec.observation[part].shape[1]
    try:
        env: Any = gym.make_vec(id, num_envs=len(group), autoreset_mode="Disabled", **kwargs)
    except TypeError as error:  # a task that takes no pictures
        raise ValueError(f"pictures are for agents that name what they see in them, not for {recipe.name}") from error
    task = env.unwrapped.task
    whole = getattr(agent.config, "saccades", "") == "none" and part not in agent.config.ignore
    if whole and task.canvas_size != kwargs["patch"]:
        (height, width), (rows, columns) = task.canvas_size, kwargs["patch"]
        raise ValueError(f"a whole-image network takes pictures of {rows}×{columns} pixels, not of {height}×{width}")
    agent = resized(agent, spec_of(env))
    ((trajectory, _),) = play(agent, env, np.arange(len(group)), seed=seed, gaze=recipe.gaze)
    logits = trajectory.params["answer"]
    if not bool(logits.isfinite().all()):
        raise ValueError("the agent's answers are not finite numbers: its training has diverged, train it anew")
    beliefs = logits.float().softmax(-1).cpu().numpy()
    glimpses, path = (trajectory.observations[spec.named(role)].cpu().numpy() for role in ("glimpse", "place"))
    size = group[0].shape[:2] if task.full_sizes is None else tuple(task.full_sizes[0].tolist())
    pixels = (path + 1) / 2 * np.array(task.canvas_size[::-1], np.float32)
    fixations = task.fitting.in_picture(pixels, size)
    found = []
    for row in range(len(group)):
        last = beliefs[-1, row]
        probabilities = dict(zip(classes, last.tolist(), strict=True))
        places = fixations[:, row], path[:, row]
        seen = Look(classes[int(last.argmax())], probabilities, *places, glimpses[:, row], beliefs[:, row])
        found.append((seen, task.canvas(seed, row)))
    return found


def _checked(picture: Any) -> Path | np.ndarray:
    """A picture as a path where there is a file, or as an array (H, W, 1 or 3) uint8."""
    if _is_path(picture):
        path = Path(picture).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"no picture at {path}{nearest_file(path)}")
        return path
    array = np.asarray(picture)
    array = array[..., None] if array.ndim == 2 else array
    if array.dtype != np.uint8:
        raise ValueError(f"a picture is an array of uint8, or a path; got {array.dtype}: scale it to [0, 255]")
    if array.ndim != 3 or array.shape[2] not in (1, 3) or not array.size:
        raise ValueError(
            f"a picture is (H, W), (H, W, 1) or (H, W, 3), got {np.shape(picture)}; give several as a list"
        )
    return array


def _stacked(group: list[np.ndarray]) -> np.ndarray:
    """(N, H, W, C) of arrays of one shape; a single one, which may be large, is not copied."""
    return group[0][None] if len(group) == 1 else np.stack(group)


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike))
