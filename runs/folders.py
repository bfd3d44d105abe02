"""The folders that runs write to: a new one for each, never one that holds another run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import Timeout

from glimpse_env.locks import locked

LOGS = Path(__file__).parent / "logs"

LOCK = ".lock"
"""Name of the file that is locked."""

WRITTEN = ("checkpoint.pt", "agent.pt", "model.zip", "metrics.json", "events.out.tfevents.*")
"""What a run writes, as patterns."""


def new_folder(name: str) -> Path:
    """A fresh folder for a run of this name, where no other place is named: made here, so that no other run has it.

    Raises:
        ValueError: where it cannot be made.
    """
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    try:
        LOGS.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot make {LOGS} ({error.strerror}): name another place with --folder") from error
    for number in itertools.count(1):
        folder = LOGS / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, is locked while its training runs.

    Raises:
        ValueError: where another training is writing to it, or it cannot be written.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder / LOCK, timeout=0))
        except Timeout as error:
            raise ValueError(f"another training is writing to {folder}: wait for it, or name another folder") from error
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ValueError(f"cannot write logs to {folder} ({reason}): name another place with --folder") from error
        yield


def claim(folder: Path, *, overwrite: bool = False) -> None:
    """Make a folder that the user named, and see that it holds no run.

    Args:
        folder: where a run is to write.
        overwrite: remove the files of a run that it holds.

    Raises:
        ValueError: where it holds a run, one is writing to it at present, or it cannot be written.
    """
    with sole_writer(folder):
        files = [file for pattern in WRITTEN for file in folder.glob(pattern)]
        if files and not overwrite:
            raise ValueError(
                f"{folder} holds a run already ({files[0].name}): name another --folder, go on with that run by "
                "--resume, or replace it by --overwrite"
            )
        for file in files:
            file.unlink()


def remove_empty(folder: Path) -> None:
    """Remove a folder in which nothing was trained; any other stays, and one that a run is writing to."""
    with suppress(OSError, ValueError), sole_writer(folder):
        if [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
            folder.rmdir()
