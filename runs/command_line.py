"""What all scripts do at the command line: errors and interruptions in one line, and text that any terminal shows."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from agents.training.interruption import set_handler

INTERRUPTED = 130
"""Exit status of what a signal interrupted: that of a shell after Ctrl-C."""

UNREAD = 141
"""Exit status where nobody reads what is printed: that of a shell after SIGPIPE."""


def run_script(main: Callable[[], Any]) -> NoReturn:
    """Run the `main` of a script, and exit with 0 or with the status that it exits with.

    Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt, which ends the script in one line. A character that the terminal
    does not have is printed as a question mark. Where nobody reads what is printed, as after `head` or in a terminal
    that was closed, the script ends without a word.
    """
    prepare()
    status: Any = 0
    try:
        set_handler(signal.default_int_handler)
        main()
    except SystemExit as end:
        status = end.code
    except KeyboardInterrupt:
        set_handler(signal.SIG_IGN)  # a second Ctrl-C has nothing to add
        say("\ninterrupted", sys.stderr)
        status = INTERRUPTED
    except BrokenPipeError:
        status = UNREAD
    set_handler(signal.SIG_IGN)
    try:
        sys.stdout.flush()
    except OSError:  # what is left can be printed nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if status == INTERRUPTED:
        # Where the signal met Python code that an extension runs as it is imported, Python keeps that in mind and ends
        # itself by SIGINT, whatever came of the exception.
        os._exit(INTERRUPTED)
    sys.exit(status)


def prepare() -> None:
    """Let a character that the terminal does not have be printed as a question mark, and no thread print a traceback
    where a file cannot be written: TensorBoard's thread does, and the main thread then raises the same error."""

    def in_thread(failed: threading.ExceptHookArgs) -> None:
        if not issubclass(failed.exc_type, OSError):
            threading.__excepthook__(failed)

    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    threading.excepthook = in_thread


@contextmanager
def one_line_errors(*, place: Any = None, silent: bool = False) -> Iterator[None]:
    """Exit with 1 and one line for errors that users can mend, and for files that cannot be read or written.

    Args:
        place: where files are written; see `in_words`.
        silent: without the line: another process says it.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except (ValueError, ModuleNotFoundError, OSError) as error:
        sys.exit(1 if silent else f"error: {in_words(error, place)}")


def in_words(error: Exception, place: Any = None) -> str:
    """The message of an error; of the system's, the file, or else the `place`, and the reason."""
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(str(part) for part in (error.filename or place, error.strerror) if part is not None)
    return str(error)


def say(text: str, file: Any = None) -> None:
    """Print, unless nobody can read it: a closed terminal is no error."""
    with suppress(OSError):
        print(text, file=file, flush=True)
