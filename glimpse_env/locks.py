"""One process at a time: what many would make alike, or would write to one place, is made by one after the other."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
"""What the operating system answers where a file system has no locks."""

PATIENCE = 600.0
"""Seconds that a process waits for another that makes what it needs."""


@contextlib.contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock of a file, which is made where it is missing; on a file system without locks, hold none.

    The operating system takes the lock back when the process ends, however it ends.

    Args:
        path: of the file.
        timeout: seconds to wait for another process that holds it.

    Raises:
        filelock.Timeout: where another process holds it for longer.
        OSError: where the file cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FileLock(path, timeout=timeout))
        except NotImplementedError:
            pass
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        yield


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Wait until no other process is in such a block with this folder, then enter it.

    Where the folder cannot hold a lock (it is read-only, say) the block is entered at once: what it makes cannot be
    shared there, and is made by each process for itself.

    Args:
        folder: where what is made is kept; made if need be.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, Timeout):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder / "glimpse.lock", PATIENCE))
        yield
