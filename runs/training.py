"""A training as the scripts start it: environments, TensorBoard, and what draws the gaze, joined to
`agents.training`."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from agents.training import loop
from agents.training.distributed import rank
from agents.training.recipe import Recipe
from agents.training.trainer import Trainer
from runs.environments import make_env, pick_device
from runs.folders import sole_writer
from runs.log import TrainingLog
from runs.saliency_prior import load_saliency_prior


def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    device: str = "auto",
    resume: bool = False,
    quiet: bool = False,
    projector: bool = False,
) -> dict[str, float]:
    """Train to the recipe's end, as `agents.training.loop.train` does, with TensorBoard's curves and pictures.

    Args:
        recipe: what to train.
        folder: of this run.
        device: "auto", "cpu", "cuda", …
        resume: go on from the folder's checkpoint, exactly as if nothing had happened.
        quiet: no progress bar.
        projector: hand what lies in the memory at the end to TensorBoard's projector.

    Returns, raises:
        As there; and ValueError where the folder cannot be written, or another training writes to it.
    """
    where = pick_device(device)

    def environment(split: str, batch: int, **names: Any) -> Any:
        return make_env(recipe, split, batch, where, **names)

    def log(trainer: Trainer) -> TrainingLog:
        return TrainingLog(Path(folder), trainer, environment, quiet=quiet, projector=projector)

    prior = (
        partial(load_saliency_prior, recipe.saliency_prior, seed=recipe.seed, device=where)
        if recipe.saliency_prior
        else None
    )
    with sole_writer(Path(folder)) if rank() == 0 else nullcontext():
        return loop.train(recipe, folder, environment, log, device=where, make_prior=prior, resume=resume)
