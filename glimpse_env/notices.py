"""What a user must know and did not ask for, such as that data are generated: one line on stderr, once per process.

It goes through `logging.getLogger("glimpse_env")`, not `warnings`, which may be turned into errors or be silenced by
libraries: these lines are no mistake of anybody's.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from pathlib import Path


@functools.cache
def say_once(message: str) -> None:
    """Say it, unless this process has said the same before."""
    logging.getLogger("glimpse_env").warning("%s", message)  # a file's name may have a "%"


def from_home(path: Path | str) -> str:
    """A path as people say it, which names nobody: "~/birds" for what lies in the user's own folder."""
    with contextlib.suppress(ValueError, RuntimeError):  # elsewhere; nobody's
        return str(Path("~") / Path(path).relative_to(Path.home()))
    return str(path)


def in_bytes(size: float) -> str:
    """A number of bytes, in words."""
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.2f} MiB"
