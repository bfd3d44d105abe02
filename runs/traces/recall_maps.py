"""Which picture of a walk is recalled for which kind of question, over many episodes."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np

from runs.traces.heat_pictures import GAP, colours
from runs.traces.layout import MUTED, TRACK, above, beside, blank, flow, framed, label, section, sheet
from runs.traces.lettering import text_width, write
from runs.traces.recall import Recalled

CELL = 26
"""Width of a cell of a map in pixels, at most."""
WIDEST = 320
"""Of a map in pixels."""
ACROSS = 1100
"""Of a picture in pixels, about."""


class RecallMaps(NamedTuple):
    """Means over episodes. G kinds of questions, K pictures that answers rest on.

    Attributes:
        by_kind: (G, K, C) float64, read weight on each canvas, where picture k is the first that the answer rests on.
        answers_by_kind: (G, K) int64, of how many answers.
        hit_rate_by_kind: (G,) in [0, 1], weight on all that the answer rests on; NaN where there is none.
        kinds: G names.
    """

    by_kind: np.ndarray
    answers_by_kind: np.ndarray
    hit_rate_by_kind: np.ndarray
    kinds: tuple[str, ...]


def recall_maps(env: Any, recalled: Recalled) -> RecallMaps:
    """Means over all answers that rest on something."""
    task, some = env.unwrapped.task, recalled.rests_on.any(-1)
    weight, rests_on = recalled.weight[some], recalled.rests_on[some]
    kind = np.repeat(recalled.kind[:, None], some.shape[1], axis=1)[some]
    names = task.group_names or ("every question",)
    pictures = int(task.schedule.shown[task.schedule.scored][0])
    first = rests_on.argmax(1)
    groups = [[(kind == g) & (first == k) for k in range(pictures)] for g in range(len(names))]
    count = np.array([[rows.sum() for rows in row] for row in groups])
    means = [[weight[rows].sum(0) / max(1, rows.sum()) for rows in row] for row in groups]
    hits = (weight * rests_on).sum(1)
    rates = [float(hits[kind == g].mean()) if (kind == g).any() else np.nan for g in range(len(names))]
    return RecallMaps(np.array(means), count, np.array(rates), tuple(names))


def recall_sheet(env: Any, recalled: Recalled, maps: RecallMaps, title: str, subtitle: str) -> np.ndarray:
    """Of each kind of question: down, the first picture that the answer rests on; across, what was recalled.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    parts = [
        recall_map(maps.by_kind[g], name, f"{100 * maps.hit_rate_by_kind[g]:.0f} % on what it rests on")
        for g, name in enumerate(maps.kinds)
        if maps.answers_by_kind[g].any()
    ]
    note = "down: the first picture that the answer rests on; across: where the read weight is, up to the question"
    scale = beside([label("read weight 0", 13, MUTED), bar(), label("1", 13, MUTED)], 8, "centre")
    drawn = section("What was recalled", note, flow(parts, ACROSS, 2 * GAP, 2 * GAP, "start"), 8)
    return sheet(title, subtitle, [drawn, scale], 14)


def recall_map(weights: np.ndarray, name: str, note: str) -> np.ndarray:
    """Weights (K, C) in [0, 1] as a map; what follows picture K are delays and questions."""
    rows, columns = weights.shape
    cell = max(4, min(CELL, WIDEST // columns))
    seen = cv2.resize(colours(weights), (columns * cell, rows * cell), interpolation=cv2.INTER_NEAREST)
    left = text_width(str(rows), 12) + 8
    panel = blank(rows * cell + 20, left + columns * cell + 4)
    panel[: rows * cell, left : left + columns * cell] = seen
    cv2.line(panel, (left + rows * cell, 0), (left + rows * cell, rows * cell), TRACK, 1)
    gap = -(-(text_width("00", 12) + 4) // cell)
    for number in range(0, rows, gap):
        middle = (number + 0.5) * cell
        write(panel, str(number + 1), left - 5, middle + 4, 12, MUTED, align="end")
        write(panel, str(number + 1), left + middle, rows * cell + 15, 12, MUTED, align="centre")
    return above([label(name, 14), label(note, 12, MUTED), panel], 3)


def bar() -> np.ndarray:
    """What the colours stand for."""
    return framed(np.broadcast_to(colours(np.linspace(0, 1, 160)), (14, 160, 3)).copy(), 1, TRACK)
