"""The folders that runs write to: a new one for each, never one that holds another run."""

from __future__ import annotations

import itertools
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from agents.training.sole_writer import LOCK

LOGS = Path(__file__).parent / "logs"

WRITTEN = ("checkpoint.pt", "agent.pt", "model.zip", "metrics.json", "events.out.tfevents.*")
"""What a run writes, as patterns."""


def new_folder(name: str) -> Path:
    """A fresh folder for a run of this name, where no other place is named: made here, so that no other run has it.

    Raises:
        ValueError: where it cannot be made.
    """
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    check_writable(LOGS)
    for number in itertools.count(1):
        folder = LOGS / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError


def claim(folder: Path, *, overwrite: bool = False) -> None:
    """Make a folder that the user named, and see that it holds no run.

    Args:
        folder: where a run is to write.
        overwrite: remove the files of a run that it holds.

    Raises:
        ValueError: where it holds a run, or cannot be written.
    """
    check_writable(folder)
    files = [file for pattern in WRITTEN for file in folder.glob(pattern)]
    if files and not overwrite:
        raise ValueError(
            f"{folder} holds a run already ({files[0].name}): name another --folder, go on with that run by --resume, "
            "or replace it by --overwrite"
        )
    for file in files:
        file.unlink()


def check_writable(folder: str | Path) -> None:
    """Make a run's folder, and try to write there.

    Raises:
        ValueError: where that cannot be done.
    """
    probe = Path(folder) / f".writable-{os.getpid()}"  # several processes of one run may try at once
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"cannot write logs to {folder} ({reason}): name another place with --folder") from error


def remove_empty(folder: Path) -> None:
    """Remove a folder in which nothing was trained; any other stays."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
        folder.rmdir()
