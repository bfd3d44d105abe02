"""One training a folder: two that wrote to one would overwrite each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"
"""Name of the file that is locked."""


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, is locked while its training runs.

    The operating system takes the lock back when the process ends, however it ends.

    Raises:
        ValueError: where another training is writing to it, or it cannot be written.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise ValueError(
            f"another training is writing to {folder}: wait for its end, or name another folder"
        ) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"cannot write logs to {folder} ({reason}): name another place with --folder") from error
    try:
        yield
    finally:
        lock.release()
