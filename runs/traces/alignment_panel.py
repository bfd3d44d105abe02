"""An episode in which words are said in turn: where the gaze, or the recall, was for each, and where it should be."""

from __future__ import annotations

import cv2
import numpy as np

from runs.traces.alignment import met
from runs.traces.layout import INK, MUTED, SMALL, TEXT, TRACK, TRUTH, WRONG, above, blank, label
from runs.traces.lettering import text_width, write
from runs.traces.markdown import bar, escape, table
from runs.traces.trace import Trace
from runs.traces.weight_maps import FAINT, lit

SILENT = -2
"""In `Trace.aligned`, where no answer counts."""

ROW, CELL, MARGIN = 26, 40, 12
"""Height of a line, least width of a column, and the space at the sides, in pixels."""


def alignment_panel(trace: Trace, title: str) -> np.ndarray:
    """A line for each decision: what was said; lit what was looked at, or recalled, and framed the word it rests on.

    What is wrong has the right word in brackets; before the first word is said, there is none.
    """
    attention, aligned, lines, bad = attended(trace), resting(trace), said(trace), wrong(trace)
    left = max(text_width(line, SMALL) for line in lines) + 2 * MARGIN
    widths = [max(CELL, text_width(word, SMALL) + MARGIN) for word in trace.text]
    edges = [left, *(left + np.cumsum(widths)).tolist()]
    panel = blank(ROW * (len(lines) + 1), edges[-1] + MARGIN)
    for number, word in enumerate(trace.text):
        write(panel, word, (edges[number] + edges[number + 1]) / 2, 18, SMALL, INK, align="centre")
    for step, line in enumerate(lines):
        top = ROW * (step + 1)
        write(panel, line, left - MARGIN, top + 19, SMALL, WRONG if bad[step] else INK, align="end")
        for number in range(len(trace.text)):
            cell = panel[top + 2 : top + ROW - 1, edges[number] + 1 : edges[number + 1] - 1]
            cell[:] = lit(attention[step, number]) if attention[step, number] >= FAINT else TRACK
            if aligned[step] == number:
                cv2.rectangle(cell, (0, 0), (cell.shape[1] - 1, cell.shape[0] - 1), TRUTH, 2)
    return above([label(title, TEXT, weight=600), panel, label(summary(trace), SMALL, MUTED)], 8)


def alignment_table(trace: Trace) -> str:
    """The same in Markdown: how much of the gaze or the recall was on each word, and ● at the one that it rests on."""
    rows = []
    for line, weights, aligned in zip(said(trace), attended(trace), resting(trace), strict=True):
        cells = [f"{bar(weight)}{' ●' if number == aligned else ''}".strip() for number, weight in enumerate(weights)]
        rows.append([escape(line), *cells])
    return "\n\n".join([summary(trace), table(["said", *map(escape, trace.text)], rows)])


def attended(trace: Trace) -> np.ndarray:
    """(Q, words), `Trace.attention`."""
    assert trace.attention is not None
    return trace.attention


def resting(trace: Trace) -> np.ndarray:
    """(Q,) int64, `Trace.aligned`."""
    assert trace.aligned is not None
    return trace.aligned


def wrong(trace: Trace) -> np.ndarray:
    """(Q,) bool, the decisions in which another word was said than was due."""
    return (resting(trace) > SILENT) & (trace.beliefs.argmax(-1) != trace.due)


def said(trace: Trace) -> list[str]:
    """What was said at each decision; where it is wrong, the right word in brackets."""
    assert trace.due is not None
    answers = [trace.name(int(answer)) for answer in trace.beliefs.argmax(-1)]
    lines = [f"{answer} ({trace.name(int(due))})" for answer, due in zip(answers, trace.due, strict=True)]
    lines = [line if bad else answer for line, answer, bad in zip(lines, answers, wrong(trace), strict=True)]
    return ["–" if place == SILENT else line for line, place in zip(lines, resting(trace), strict=True)]


def summary(trace: Trace) -> str:
    """How many words are right, and how often the gaze, or most of the recall, was where it should be."""
    aligned = resting(trace)
    spoken, known = int((aligned > SILENT).sum()), int((aligned >= 0).sum())
    right = f"{spoken - int(wrong(trace).sum())} of {spoken} words right"
    if not attended(trace).any():
        return right
    return f"{right}  ·  {int(met(trace).sum())} of {known} looks where they should be"
