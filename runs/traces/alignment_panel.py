"""An episode in which words are said in turn: the word of the hidden text that was looked at, and the right one."""

from __future__ import annotations

import cv2
import numpy as np

from runs.traces.layout import INK, MUTED, SMALL, TEXT, TRACK, TRUTH, WRONG, above, blank, label
from runs.traces.lettering import text_width, write
from runs.traces.markdown import escape, table
from runs.traces.trace import Trace
from runs.traces.weight_maps import lit

SILENT = -2
"""In `Trace.aligned`, where no answer counts."""

ROW, CELL, MARGIN = 26, 40, 12
"""Height of a line, least width of a column, and the space at the sides, in pixels."""


def alignment_panel(trace: Trace, title: str) -> np.ndarray:
    """A line for each step: what was said; lit the word that was looked at, and framed the one that it rests on.

    What is wrong has the right word in brackets; before the first word is said, there is none.
    """
    looked, aligned, lines = looks(trace), resting(trace), said(trace)
    left = max(text_width(line, SMALL) for line in lines) + 2 * MARGIN
    widths = [max(CELL, text_width(word, SMALL) + MARGIN) for word in trace.text]
    edges = [left, *(left + np.cumsum(widths)).tolist()]
    panel = blank(ROW * (len(lines) + 1), edges[-1] + MARGIN)
    for number, word in enumerate(trace.text):
        write(panel, word, (edges[number] + edges[number + 1]) / 2, 18, SMALL, INK, align="centre")
    for step, line in enumerate(lines):
        top = ROW * (step + 1)
        write(panel, line, left - MARGIN, top + 19, SMALL, WRONG if wrong(trace)[step] else INK, align="end")
        for number in range(len(trace.text)):
            cell = panel[top + 2 : top + ROW - 1, edges[number] + 1 : edges[number + 1] - 1]
            cell[:] = lit(1.0) if looked[step] == number else TRACK
            if aligned[step] == number:
                cv2.rectangle(cell, (0, 0), (cell.shape[1] - 1, cell.shape[0] - 1), TRUTH, 2)
    return above([label(title, TEXT, weight=600), panel, label(summary(trace), SMALL, MUTED)], 8)


def alignment_table(trace: Trace) -> str:
    """The same in Markdown: ■ what was looked at, ● the word that the right one rests on."""
    rows = []
    for line, looked, aligned in zip(said(trace), looks(trace), resting(trace), strict=True):
        marks = (("■", looked), ("●", aligned))
        cells = [" ".join(mark for mark, place in marks if place == number) for number in range(len(trace.text))]
        rows.append([escape(line), *cells])
    return "\n\n".join([summary(trace), table(["said", *map(escape, trace.text)], rows)])


def looks(trace: Trace) -> np.ndarray:
    """(T,) int64, the word that was looked at in each step, from 0."""
    assert trace.line_numbers is not None
    return trace.line_numbers - 1


def resting(trace: Trace) -> np.ndarray:
    """(T,) int64, `Trace.aligned`."""
    assert trace.aligned is not None
    return trace.aligned


def wrong(trace: Trace) -> np.ndarray:
    """(T,) bool, the steps in which another word was said than was due."""
    return (resting(trace) > SILENT) & (trace.beliefs.argmax(-1) != trace.due)


def said(trace: Trace) -> list[str]:
    """What was said in each step; where it is wrong, the right word in brackets."""
    assert trace.due is not None
    answers = [trace.name(int(answer)) for answer in trace.beliefs.argmax(-1)]
    lines = [f"{answer} ({trace.name(int(due))})" for answer, due in zip(answers, trace.due, strict=True)]
    lines = [line if bad else answer for line, answer, bad in zip(lines, answers, wrong(trace), strict=True)]
    return ["–" if place == SILENT else line for line, place in zip(lines, resting(trace), strict=True)]


def summary(trace: Trace) -> str:
    """How many words are right, and how often the gaze rested where it should."""
    aligned = resting(trace)
    spoken, known = int((aligned > SILENT).sum()), int((aligned >= 0).sum())
    met = int(((aligned >= 0) & (aligned == looks(trace))).sum())
    return f"{spoken - int(wrong(trace).sum())} of {spoken} words right  ·  {met} of {known} looks where they should be"
