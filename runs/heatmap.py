"""Where an agent looks, over many episodes: `python -m runs.heatmap CHECKPOINT --out FILE.png [--episodes 2000]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import tyro

from agents.training.checkpoint import write_atomically
from glimpse_env.datasets import Split
from runs.command_line import one_line_errors, run_script
from runs.evaluation import TEST_SEED
from runs.saliency_prior import load_saliency_prior
from runs.traces.heat import SUFFIXES, encode, heat
from runs.traces.subject import load_subject

ROWS = {True: 250, False: 100}
"""Episodes side by side, by whether the agent looks: of those that it reads, every step's attention is kept."""


def heatmap(
    checkpoint: tyro.conf.Positional[Path],
    /,
    out: list[Path],
    episodes: int = 2000,
    split: Split = "test",
    gaze: str | None = None,
    images: Path | None = None,
    saliency_prior: Path | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Draw where a trained agent looks, over many episodes: by glimpse, by class, on the canvas and on the target.

    For stories: along the lines, around those that the answer rests on, and over the words. Of a memory of several
    pictures: which of them is recalled for which kind of question.

    Args:
        checkpoint: A weight file, a training's checkpoint or folder, or the name of a pretrained agent.
        out: Files to write, each whole or not at all: a .png is drawn, an .npz or .json holds the numbers.
        episodes: How many.
        split: train, validation, test, or all of your own images.
        gaze: learned, or a scripted one of the environment's, such as random; as the agent was trained.
        images: Your own canvases in place of generated scenes: an .npz file with images, labels and the
            names of the classes, or a folder.
        saliency_prior: A map of your own, as runs.train takes it: how far the gaze agrees with it is measured.
        device: auto, cpu, cuda, …

    Returns:
        The numbers, see `runs.traces.heat.heat`.

    Raises:
        FileNotFoundError: where there is no such checkpoint, images or saliency prior.
        ValueError: for another suffix, no episodes, a damaged checkpoint, an unknown gaze, images or a prior that do
            not fit, or an agent that neither looks nor recalls.
    """
    for path in out:
        if path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{path}: the name must end in .png (a picture), .npz or .json (the numbers)")
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    subject = load_subject(checkpoint, split, images, device)
    agent, recipe = subject.agent, subject.recipe
    env = subject.make_env(min(episodes, ROWS[agent.spec.named("place") is not None]))
    where, prior = next(agent.parameters()).device, None
    if saliency_prior is not None:
        prior = load_saliency_prior(saliency_prior, env, device=where, seed=TEST_SEED)
    title, gaze = f"Glimpse · {recipe.name}", gaze or recipe.gaze
    picture, numbers = heat(agent, env, episodes, title, subject.source, gaze=gaze, seed=TEST_SEED, prior=prior)
    for path in out:
        write_atomically(encode(picture, numbers, path.suffix.lower()), path)
    return numbers


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    with one_line_errors():
        numbers = tyro.cli(heatmap, args=arguments)
    print(f"{numbers['episodes']:,} episodes, {numbers['error']:.2f} % answered wrong")
    if "saliency_agreement" in numbers:
        agreement = numbers["saliency_agreement"]
        print(f"agreement with the prior (normalised scanpath saliency, 0 is chance): {agreement:.3f}")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    run_script(main)
