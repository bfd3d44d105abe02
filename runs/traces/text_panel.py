"""An episode of text, as a picture and as a Markdown table: words lit by what was recalled, and what was written."""

from __future__ import annotations

import numpy as np

from runs.traces.layout import INK, MUTED, OTHER, SMALL, TEXT, TRACK, TRUTH, above, blank, label
from runs.traces.lettering import text_width, write
from runs.traces.markdown import bar, escape, outcome, table
from runs.traces.panels import outcome_line
from runs.traces.trace import Trace
from runs.traces.weight_maps import lit

ROW = 34
"""Height of a line of text in pixels."""

CELL = 30
"""Width of a cell of weights."""

HEADS = ("words", "words, lit by all hops")
"""Above the lines: without and with a memory."""

BOLD = 0.5
"""Lines recalled at least this much, compared with the one recalled most, are bold."""


def text_panel(trace: Trace, title: str) -> np.ndarray:
    """A story line by line: how much of it was written, and its words lit by the last recall, hop by hop.

    Of a hidden story, the glimpses in turn, each with the number of its line, green where the answer rests on it.
    """
    recalled = trace.recalled
    head = HEADS[len(recalled) > 0]
    hops, hidden = len(recalled), bool(trace.question) and trace.line_numbers is not None
    write_left = 92 if hidden else 40
    hops_left = write_left + (0 if trace.gate is None else 60)
    text_left = hops_left + hops * CELL
    wide = max(text_width(line, SMALL) for line in [*trace.lines, head])
    panel = blank(ROW * (len(trace.lines) + 1), text_left + wide + 24)
    if hidden:
        write(panel, "line", 78, 22, SMALL, MUTED, align="end")
    if trace.gate is not None:
        write(panel, "write", write_left, 22, SMALL, MUTED)
    for hop in range(hops):
        write(panel, str(hop + 1), hops_left + hop * CELL + (CELL - 3) / 2, 22, SMALL, MUTED, align="centre")
    write(panel, head, text_left + 8, 22, SMALL, MUTED)
    for row, (line, light) in enumerate(zip(trace.lines, together(trace), strict=True)):
        top = ROW * (row + 1)
        write(panel, str(row + 1), 30, top + 23, SMALL, MUTED, align="end")
        if hidden and trace.line_numbers is not None:
            needed = trace.needed is not None and trace.needed[row]
            write(panel, str(trace.line_numbers[row]), 78, top + 23, SMALL, TRUTH if needed else INK, align="end")
        if trace.gate is not None:
            bar_of = panel[top + 9 : top + 25, write_left : write_left + 49]
            bar_of[:] = TRACK
            bar_of[:, : 1 + round(48 * float(trace.gate[row]))] = OTHER
        cells = panel[top + 2 : top + ROW - 2]
        for hop, left in enumerate(range(hops_left, text_left, CELL)):
            cells[:, left : left + CELL - 2] = lit(float(recalled[hop, row]))
        cells[:, text_left:-7] = lit(float(light))
        write(panel, line, text_left + 8, top + 23, SMALL, INK)
    return above([label(title, TEXT, weight=600), panel, outcome_line(trace)], 8)


def text_table(trace: Trace) -> str:
    """The lines as they were seen, what was written of each, and recalled of it at the end, hop by hop."""
    recalled, light = trace.recalled, together(trace)
    heads = ["line"]
    heads += [] if trace.needed is None else ["needed"]
    heads += [] if trace.gate is None else ["written"]
    heads += [f"hop {hop + 1}" for hop in range(len(recalled))] + ["words"]
    rows = []
    for row, words in enumerate(trace.lines):
        cells = [str(row + 1 if trace.line_numbers is None else trace.line_numbers[row])]
        cells += [] if trace.needed is None else ["●" if trace.needed[row] else ""]
        cells += [] if trace.gate is None else [bar(trace.gate[row])]
        cells += [bar(weights[row]) for weights in recalled]
        bold = light[row] > 0 and light[row] >= BOLD * light.max()
        rows.append([*cells, f"**{escape(words)}**" if bold and words else escape(words)])
    head = [f"### {escape(trace.question)}"] if trace.question else []
    return "\n\n".join([*head, outcome(trace), table(heads, rows)])


def together(trace: Trace) -> np.ndarray:
    """(T,) what was recalled of each line, mean over the hops; zeros where that is not known."""
    return trace.recalled.sum(0) / max(1, len(trace.recalled))
