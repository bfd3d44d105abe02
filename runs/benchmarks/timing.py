"""Fair timings: several things in turn (A B A B …), the median of each."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial

from tqdm import tqdm


def seconds_of(call: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def medians(calls: Mapping[str, Callable[[], object]], repeats: int = 5, bar: tqdm | None = None) -> dict[str, float]:
    """The median seconds of each call, after one unmeasured round.

    Args:
        calls: by name; each should take some hundredths of a second at least.
        repeats: measured rounds, each of which makes every call once, in turn.
        bar: moved on by one a round.
    """
    return medians_of({name: partial(seconds_of, call) for name, call in calls.items()}, repeats, bar)


def medians_of(timed: Mapping[str, Callable[[], float]], repeats: int = 5, bar: tqdm | None = None) -> dict[str, float]:
    """As `medians`, of calls that say themselves how many seconds they took."""
    times: dict[str, list[float]] = {name: [] for name in timed}
    for number in range(repeats + 1):
        for name, call in timed.items():
            seconds = call()
            if number:
                times[name].append(seconds)
        if bar is not None:
            bar.update()
    return {name: statistics.median(values) for name, values in times.items()}
