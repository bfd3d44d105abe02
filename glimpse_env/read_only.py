"""Arrays that many environments share, and that nobody may write to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

AnyArray = TypeVar("AnyArray", bound=np.ndarray)


def read_only(array: AnyArray) -> AnyArray:
    """The same array, which is read-only from now on."""
    array.setflags(write=False)
    return array


def read_only_arrays(record: Iterable[Any]) -> None:
    """All arrays of a record are read-only from now on; what is no array stays as it is."""
    for part in record:
        if isinstance(part, np.ndarray):
            read_only(part)
