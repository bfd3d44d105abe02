"""One training a folder: two that wrote to one would overwrite each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import Timeout

from glimpse_env.locks import locked

LOCK = ".lock"
"""Name of the file that is locked."""


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
