"""Show pictures to a trained agent: `python -m runs.look PICTURE… [--agent NAME] [--out gaze.png] [--json]`."""

from __future__ import annotations

import json as json_format
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from agents.loading import load_agent
from agents.look import Look, files_in, looks
from agents.training.checkpoint import write_atomically
from glimpse_env.retina import Retina
from runs.command_line import one_line_errors, run_script
from runs.environments import pick_device
from runs.traces.pictures import encode
from runs.traces.trace import Trace


def main(
    pictures: tyro.conf.Positional[list[Path]],
    /,
    agent: str = "cluttered",
    out: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Show pictures to a trained agent: what they are, how sure it is, and where it looked.

    Args:
        pictures: Image files, or folders of them.
        agent: The name of a pretrained agent, a weight file, or a training's folder.
        out: Draw what was seen, glimpse by glimpse: a .png becomes a picture, an .apng an animation.
        device: auto, cpu, cuda, …
        json: Print one JSON object and nothing else.
    """
    with one_line_errors():
        files = [file for path in pictures for file in (files_in(path) if path.is_dir() else [path])]
        if out is not None and out.suffix.lower() not in (".png", ".apng"):
            raise ValueError(f"{out}: the name must end in .png (a picture) or .apng (an animation)")
        found, traces = {}, {}
        for number, look, canvas in looks(load_agent(agent, pick_device(device)), files):
            found[number] = look
            if out is not None:
                traces[number] = trace_of(look, canvas, files[number].name)
        if out is not None:
            title, subtitle = f"Glimpse · {Path(agent).stem}", f"{len(files)} picture{'s' * (len(files) > 1)}"
            drawn = [traces[number] for number in range(len(files))]
            write_atomically(encode(drawn, title, subtitle, out.suffix.lower()), out)
    rows = [report(found[number], file) for number, file in enumerate(files)]
    print(json_format.dumps({"agent": agent, "pictures": rows}) if json else "\n".join(map(line, rows)))


def report(look: Look, file: Path) -> dict[str, Any]:
    """A look in plain types."""
    return {
        "picture": str(file),
        "label": look.label,
        "probability": look.probabilities[look.label],
        "probabilities": look.probabilities,
        "fixations": look.fixations.tolist(),
    }


def line(row: dict[str, Any]) -> str:
    """A report in words."""
    places = " ".join(f"({x:.0f}, {y:.0f})" for x, y in row["fixations"])
    return f"{row['picture']}: {row['label']} ({100 * row['probability']:.1f} %), looked at {places}"


def trace_of(look: Look, canvas: np.ndarray, title: str) -> Trace:
    """A look as pictures draw it: an episode without a right answer.

    Args:
        look: what was seen.
        canvas: (H, W, C) uint8, on which it was seen.
        title: what the picture is called.
    """
    names = tuple(look.probabilities)
    answer = np.array([names.index(look.label)])
    retina = Retina((look.glimpses.shape[3], look.glimpses.shape[4]), look.glimpses.shape[1])
    return Trace(
        0, "glimpse", look.glimpses, answer, np.array([-1]), look.beliefs, names,
        path=look.path, canvas=canvas, retina=retina, title=title,
    )  # fmt: skip


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    run_script(partial(tyro.cli, main))
