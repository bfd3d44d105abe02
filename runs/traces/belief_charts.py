"""Charts of the belief over classes: after one glimpse, and from glimpse to glimpse."""

from __future__ import annotations

import numpy as np

from glimpse_env.render import Colour
from runs.traces.layout import INK, MUTED, OTHER, SMALL, TRACK, TRUTH, WRONG, blank, grid
from runs.traces.lettering import shorten, text_width, write
from runs.traces.trace import Trace

SHOWN = 10
"""Classes in a chart, at most."""

ROW, BAR = 46, 12
"""Height of a class in `belief_rows`, and of its bar, in pixels."""

NAME = 150
"""The widest name of a class beside `belief_table`, in pixels."""


def shown_classes(trace: Trace, count: int = SHOWN) -> np.ndarray:
    """The classes that a chart shows, in order: those believed most at any time, and all that are right."""
    peak = trace.beliefs.max(0).astype(np.float64)
    if trace.known:
        peak[truths(trace)] = np.inf
    return np.sort(np.argsort(-peak, kind="stable")[:count])


def truths(trace: Trace) -> list[int]:
    """The classes that are right at any decision."""
    return [trace.truth(step) for step in range(len(trace.beliefs))]


def belief_colours(trace: Trace, step: int) -> list[Colour]:
    """A colour for each class: the truth's, the top answer's where it is another, and that of all others."""
    colours: list[Colour] = [OTHER] * len(trace.names)
    colours[int(trace.beliefs[step].argmax())] = WRONG if trace.known else INK
    if trace.known:
        colours[trace.truth(step)] = TRUTH
    return colours


def belief_rows(trace: Trace, step: int, height: int, width: int) -> np.ndarray:
    """The belief after a glimpse, about as large as this: names with percentages, and below each a lying bar.

    Short names stand side by side. As many classes are shown as there is room for.
    """
    needed = max(text_width(name, SMALL, 600) for name in trace.names) + text_width("100 %", SMALL, 600) + 12
    across = max(1, width // int(np.clip(needed, 90, 220)))
    each = (width - 16 * (across - 1)) // across
    shown = shown_classes(trace, min(SHOWN, across * max(1, height // ROW)))
    return grid([_belief(trace, step, index, each) for index in shown], across, 16, 0)


def _belief(trace: Trace, step: int, index: int, width: int) -> np.ndarray:
    """A class in `belief_rows`."""
    panel, belief, colour = blank(ROW, width), float(trace.beliefs[step, index]), belief_colours(trace, step)[index]
    says, weight = percent(belief), 600 if index == trace.beliefs[step].argmax() else 400
    name = shorten(trace.names[index], SMALL, width - text_width(says, SMALL, weight) - 10, weight)
    write(panel, name, 0, 20, SMALL, MUTED if colour == OTHER else colour, weight)
    write(panel, says, width, 20, SMALL, INK if weight == 600 else MUTED, weight, "end")
    panel[28 : 28 + BAR] = TRACK
    panel[28 : 28 + BAR, : round(belief * width)] = colour
    return panel


def name_width(trace: Trace) -> int:
    """Pixels that the names beside `belief_table` take."""
    return min(NAME, max(text_width(trace.names[index], SMALL) for index in shown_classes(trace))) + 12


def belief_table(trace: Trace, steps: range, pitch: int, row: int = 28) -> np.ndarray:
    """The belief from glimpse to glimpse: a row of upright bars for each class, its name to the left.

    Each glimpse is `pitch` pixels wide; below stands how much the top answer is believed.
    """
    names, shown = name_width(trace), shown_classes(trace)
    panel, right = blank(row * (len(shown) + 1), names + pitch * len(steps)), truths(trace)
    for place, index in enumerate(shown):
        name, base = shorten(trace.names[index], SMALL, NAME), row * place + 21
        write(panel, name, names - 12, base, SMALL, TRUTH if index in right else MUTED, align="end")
    for column, step in enumerate(steps):
        left, colours = names + pitch * column, belief_colours(trace, step)
        for place, index in enumerate(shown):
            bar = panel[row * place + 2 : row * (place + 1) - 2, left + 3 : left + pitch - 3]
            bar[:] = TRACK
            bar[len(bar) - round(float(trace.beliefs[step, index]) * len(bar)) :] = colours[index]
        answer = int(trace.beliefs[step].argmax())
        says = percent(trace.beliefs[step, answer])
        write(panel, says, left + pitch / 2, panel.shape[0] - 6, SMALL - 1, colours[answer], 600, "centre")
    return panel


def percent(share: float) -> str:
    """A share in words."""
    return f"{100 * share:.0f} %"
