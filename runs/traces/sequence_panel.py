"""An episode of bits or numbers: what was shown, answered and right, as a picture and as a Markdown table."""

from __future__ import annotations

import numpy as np

from runs.traces.layout import MUTED, above, beside, blank, label
from runs.traces.lettering import write
from runs.traces.markdown import table
from runs.traces.trace import Trace
from runs.traces.weight_maps import heat


def sequence_panel(trace: Trace, title: str) -> np.ndarray:
    """What was shown, and below it the answers and the targets of the steps that count, where these are bits."""
    parts, steps = [label(title, 15, weight=600)], len(trace.seen)
    seen = trace.seen.reshape(steps, -1)
    maps = [("shown", seen)] if seen.shape[1] > 1 else []  # a number is no weight
    if maps and trace.target.ndim > 1:
        silent = np.zeros((steps - len(trace.target), trace.target.shape[1]))
        answers = (("answer", trace.answer), ("target", trace.target))
        maps += [(name, np.concatenate([silent, value])) for name, value in answers]
    for name, value in maps:
        height = 12 * min(value.shape[1], 10)
        named = blank(height, 60)
        write(named, name, 4, height / 2 + 4, 12, MUTED)
        parts.append(beside([named, heat(value, height, 520)]))
    return above(parts, 8)


def sequence_table(trace: Trace) -> str:
    """The answers, each beside the right one: bits as squares, classes as numbers."""
    right = (trace.answer == trace.target).reshape(len(trace.answer), -1).all(1)
    rows = [
        [str(number), text_of(target), text_of(answer), "✓" if hit else "✗"]
        for number, (answer, target, hit) in enumerate(zip(trace.answer, trace.target, right, strict=True), 1)
    ]
    return f"{right.sum()} of {len(right)} answers right\n\n{table(['', 'truth', 'answer', ''], rows)}"


def text_of(value: np.ndarray) -> str:
    """A row of bits, of numbers, or a number."""
    if not np.ndim(value) or np.max(value) > 1:
        return " ".join(map(str, np.ravel(value)))
    return "".join("■" if bit else "□" for bit in value)
