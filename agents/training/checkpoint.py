"""Weights and trainings on disk: plain types, loaded with `weights_only`, written atomically."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import torch

from agents.nearest import nearest, nearest_file

FORMAT = "glimpse-2"
EARLIER = "glimpse-1"

CHECKOUT = Path(__file__).parents[2]
PRETRAINED = CHECKOUT / "runs" / "pretrained"
"""Weights that are known by their names. They belong to a checkout: no wheel has them, nor this package."""


def write_atomically(content: bytes, path: str | Path) -> None:
    """Write `content` so that `path` holds either the old file or the whole new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)  # where the disk is full it names no file
        raise
    finally:
        partial.unlink(missing_ok=True)


def save_atomically(value: dict[str, Any], path: str | Path) -> None:
    """Write plain types and tensors with `torch.save`, atomically."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **value}, buffer)
    write_atomically(buffer.getvalue(), path)


def find_checkpoint(path: str | Path) -> Path:
    """The file that is meant by a path, or by the name of a pretrained agent, such as "cluttered".

    Of a folder it is `agent.pt`, or before the first validation `checkpoint.pt`. A relative path that is not there is
    looked for beside this package, and a name without a suffix among `PRETRAINED`.

    Raises:
        FileNotFoundError: where there is no such file, with the name that is most like it.
    """
    path = Path(path)
    place = path if path.exists() or not (CHECKOUT / path).is_file() else CHECKOUT / path
    if place.is_dir():
        place = place / ("agent.pt" if (place / "agent.pt").is_file() else "checkpoint.pt")
    is_name = not path.exists() and path.name == str(path) and not path.suffix
    if is_name:
        place = PRETRAINED / f"{path}.pt"
    if place.is_file():
        return place
    if is_name:
        hint = nearest(str(path), sorted(file.stem for file in PRETRAINED.glob("*.pt")))
        place = path
    else:
        hint = nearest_file(place)
    raise FileNotFoundError(f"no checkpoint at {place}{hint or ': train one with `python -m runs.train RECIPE`'}")


def load_checked(path: str | Path) -> dict[str, Any]:
    """What `save_atomically` wrote, on the CPU, at the place that `find_checkpoint` finds.

    The checksums of the archive are compared first: `torch.load` does not, and would take a damaged file for a right
    one.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a file that is damaged, or not a checkpoint of this project.
    """
    path = find_checkpoint(path)
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if broken := archive.testzip():
                raise zipfile.BadZipFile(f"the checksum of {broken} differs")
        values = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged archive or pickle can raise anything
        cause = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ValueError(f"{path} is damaged or not a checkpoint ({cause}); take another copy or train anew") from error
    if isinstance(values, dict) and values.get("format") == EARLIER:
        raise ValueError(
            f"{path} was written by an earlier version of this project, whose agents were built otherwise: train one "
            "anew, or use that version"
        )
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(f"{path} is not a checkpoint of this project (format {FORMAT!r}); train one anew")
    return values
