"""What `runs.benchmark` measures, a file a section."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """A line of the report: what was measured, its value and unit."""

    name: str
    value: float
    unit: str
