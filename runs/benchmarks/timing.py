"""Fair timings: several things in turn (A B A B …), the median of each, and the figures that are reported."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from runs.progress import Progress


class Figure(NamedTuple):
    """A line of the report: what was measured, its value and unit."""

    name: str
    value: float
    unit: str


def seconds_of(call: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def medians(
    calls: Mapping[str, Callable[[], object]], repeats: int = 5, bar: Progress | None = None
) -> dict[str, float]:
    """The median seconds of each call, after one unmeasured round.

    Args:
        calls: by name; each should take some hundredths of a second at least.
        repeats: measured rounds, each of which makes every call once, in turn.
        bar: moved on by one a round.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            times[name].append(seconds_of(call))
        if bar is not None:
            bar.update()
    return {name: statistics.median(seconds[1:]) for name, seconds in times.items()}
