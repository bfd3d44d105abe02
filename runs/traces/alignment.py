"""Of words that are said in turn: how often the gaze, or the recall, was on the word of the text that they rest on."""

from __future__ import annotations

from typing import Any

import numpy as np

from runs.traces.trace import Trace, record_traces

WATCHED = 500
"""Episodes that it is counted in, at most."""


def met(trace: Trace) -> np.ndarray:
    """(Q,) bool, where most of the gaze or the recall was on the word that the right one rests on."""
    assert trace.attention is not None
    return (trace.attention.max(1) > 0) & (trace.attention.argmax(1) == trace.aligned)


def recalled_words(agent: Any, env: Any, episodes: int, seed: int) -> float | None:
    """The share of the words that are said as most of the memory's reads are on the word of the text that they rest on.

    None where it is not known what they rest on, nothing is said in turn, or no memory's slots hold what was read.
    """
    story = env.unwrapped.story(seed, np.arange(1)) if hasattr(env.unwrapped, "story") else None
    if story is None or story.aligned is None:
        return None
    traces = record_traces(agent, env, np.arange(min(episodes, WATCHED)), seed=seed)
    if not any(trace.attention is not None and trace.attention.any() for trace in traces):
        return None
    known = [trace.aligned >= 0 for trace in traces if trace.aligned is not None]
    return sum(int(met(trace).sum()) for trace in traces) / sum(int(each.sum()) for each in known)
