"""One process at a time: what many would make alike (a download, compiled code) is made by one, for all of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Wait until no other process is in such a block with this folder, then enter it.

    Where the folder cannot hold a lock (it is read-only, say) the block is entered at once: what it makes cannot be
    shared there, and is made by each process for itself.

    Args:
        folder: where what is made is kept; made if need be.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, NotImplementedError):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / "glimpse.lock"))
        yield
