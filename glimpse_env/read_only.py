"""Arrays that many environments share, and that nobody may write to."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

AnyArray = TypeVar("AnyArray", bound=np.ndarray)


def read_only(array: AnyArray) -> AnyArray:
    """The same array, which is read-only from now on."""
    array.setflags(write=False)
    return array
