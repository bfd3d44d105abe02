"""Watch a trained agent: `python -m runs.watch CHECKPOINT --out FILE.png|.apng [--episodes 4] [--gaze random]`.

Or one in training: `python -m runs.watch runs/logs/<run> --live`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
import tyro

from agents.training.checkpoint import write_atomically
from glimpse_env.datasets import Split
from runs.command_line import one_line_errors, run_script
from runs.evaluation import TEST_SEED
from runs.live import PORT, serve
from runs.traces.arcs import arcs_sheet, read_sentences
from runs.traces.encoding import encode_png
from runs.traces.pictures import encode
from runs.traces.subject import describe, load_subject
from runs.traces.trace import Trace, record_traces

ROWS = 16
"""Episodes side by side, at most."""

ARCS = 50
"""The same, of words of whole sentences."""


def watch(
    checkpoint: tyro.conf.Positional[Path],
    /,
    out: Path | None = None,
    episodes: int = 4,
    first: int = 0,
    split: Split | None = None,
    device: str = "auto",
    gaze: str | None = None,
    images: Path | None = None,
    arcs: bool = False,
    live: bool = False,
    port: int = PORT,
) -> list[Trace]:
    """Draw what a trained agent saw, where, and what it believed, glimpse by glimpse.

    Args:
        checkpoint: A weight file, a training's checkpoint, or the name of a pretrained agent; to watch a training live,
            its folder.
        out: A .png becomes a picture, an .apng an animation. Written whole or not at all.
        episodes: How many to draw.
        first: Number of the first, of those that runs.evaluate counts.
        split: train, validation, test, or all of your own images; test, and validation where it is watched live.
        device: auto, cpu, cuda, …
        gaze: learned, or a scripted one of the environment's, such as random; as the agent was trained.
        images: Your own canvases in place of generated scenes: an .npz file with images, labels and the
            names of the classes, or a folder.
        arcs: Of Glimpse/Arcs-v0: draw whole sentences in place of episodes, with an arc from each word to the one that
            was found.
        live: Show a training's latest episodes in a browser page that refreshes itself, until Ctrl-C.
        port: Of that page, on this machine.

    Returns:
        What was drawn.

    Raises:
        FileNotFoundError: where there is no such checkpoint, or no such images.
        ValueError: for another suffix, no episodes, a damaged checkpoint, an unknown gaze, or images that do not fit.
    """
    split = split or ("validation" if live else "test")
    if arcs and (live or images is not None):
        raise ValueError("--arcs draws sentences of the test split: give neither --live nor --images")
    if live:
        draw = partial(watch, episodes=episodes, first=first, split=split, device=device, gaze=gaze, images=images)
        serve(checkpoint, draw, port=port)
        return []
    if out is None:
        raise ValueError("say where to draw, --out gaze.png, or watch a training as it goes, --live")
    if out.suffix.lower() not in (".png", ".apng"):
        raise ValueError(f"{out}: the name must end in .png (a picture) or .apng (an animation)")
    if arcs and out.suffix.lower() != ".png":
        raise ValueError(f"{out}: --arcs draws a picture, whose name ends in .png")
    if episodes < 1 or first < 0:
        raise ValueError(f"episodes must be at least 1 and first at least 0, got {episodes} and {first}")
    subject = load_subject(checkpoint, split, images, device)
    gaze, env = gaze or subject.recipe.gaze, subject.make_env(min(episodes, ROWS))
    if arcs:
        read = read_sentences(subject.agent, subject.make_env(ARCS), first, episodes, seed=TEST_SEED, gaze=gaze)
        sheet = arcs_sheet(read, f"Glimpse · {subject.recipe.name}", f"{subject.source}  ·  {gaze} gaze")
        write_atomically(encode_png(sheet), out)
        return []
    traces = record_traces(subject.agent, env, np.arange(first, first + episodes), seed=TEST_SEED, gaze=gaze)
    title, subtitle = f"Glimpse · {subject.recipe.name}", describe(subject, traces[0], gaze, TEST_SEED)
    write_atomically(encode(traces, title, subtitle, out.suffix.lower()), out)
    return traces


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    with one_line_errors():
        traces = tyro.cli(watch, args=arguments)
    if traces:
        print(f"{len(traces)} episodes, {sum(trace.correct for trace in traces)} answered right")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    run_script(main)
