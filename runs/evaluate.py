"""The error of a trained agent: `python -m runs.evaluate CHECKPOINT [--images FILE.npz] [--data FOLDER] [--json]`."""

from __future__ import annotations

import json as json_format
from functools import partial
from pathlib import Path

import torch
import tyro

from agents.training.checkpoint import write_atomically
from glimpse_env.images import Split
from runs.command_line import one_line_errors, run_script
from runs.evaluation import evaluate_checkpoint, lines_of
from runs.stopping import stopping_plot


def main(
    checkpoint: tyro.conf.Positional[Path],
    /,
    episodes: int | None = None,
    images: Path | None = None,
    split: Split | None = None,
    gaze: str = "",
    data: Path | None = None,
    arguments: tuple[str, ...] = (),
    memory_options: tuple[str, ...] = (),
    device: str = "auto",
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Evaluate a trained agent on the test split, with learned and with random gaze where it has one.

    Args:
        checkpoint: A weight file, a training's checkpoint or folder, or the name of a pretrained agent.
        episodes: How many; each of the images, scenes or questions once, and 10,000 images at most.
        images: Your own canvases in place of generated scenes: an .npz file with images, labels and the
            names of the classes, or a folder.
        split: train, validation, test, or all of your own images; test, and all of images that it was not trained on.
        gaze: As trained, or a scripted one of the environment's in its place: random, oracle, centre, …
        data: Your own stories, a folder or archive in bAbI's format.
        arguments: Of the task, in place of those trained with, such as min_length=120 max_length=120.
        memory_options: Of the memory, in place of those trained with, such as slots=256 for longer sequences.
        device: auto, cpu, cuda, …
        plot: Draw the error against the mean number of glimpses there, as a PNG, where one may stop early.
        json: Print one JSON object and nothing else.
    """
    with one_line_errors():
        if plot is not None and plot.suffix != ".png":
            raise ValueError(f"--plot draws a .png, not {plot}")
        report = evaluate_checkpoint(
            checkpoint,
            episodes=episodes,
            images=images,
            split=split,
            gaze=gaze,
            data=data,
            arguments=arguments,
            memory_options=memory_options,
            device=device,
        )
    if json:
        print(json_format.dumps(report))
    else:
        print(f"{report['recipe']} on {report['env_id']}, {report['episodes']:,} episodes, {report['seconds']} s\n")
        print("\n".join(lines_of(report)))
    if plot is not None:
        with one_line_errors():
            write_atomically(stopping_plot(report), plot)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    run_script(partial(tyro.cli, main))
