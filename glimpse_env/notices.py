"""What a user must know and did not ask for, such as that data are generated: one line on stderr, once per process.

It goes through `logging.getLogger("glimpse_env")`, not `warnings`, which may be turned into errors or be silenced by
libraries: these lines are no mistake of anybody's.
"""

from __future__ import annotations

import functools
import logging


@functools.cache
def say_once(message: str) -> None:
    """Say it, unless this process has said the same before."""
    logging.getLogger("glimpse_env").warning("%s", message)  # a file's name may have a "%"
