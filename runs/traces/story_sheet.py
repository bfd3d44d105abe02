"""Pictures of attention in stories: tables of heat by place, around the supporting lines and by class, and words."""

from __future__ import annotations

from typing import Any

import numpy as np

from runs.traces.heat_pictures import CLASSES, colours
from runs.traces.layout import GROUND, INK, MUTED, OTHER, TRACK, beside, blank, section, sheet
from runs.traces.lettering import shorten, text_width, write
from runs.traces.story_attention import REACH, StoryAttention, StoryMaps, first_chosen

PLACES = 12
"""Lines from the end of a story that a picture shows; numbers are kept of all."""

CELL = (26, 46)
"""Height and width of a cell in pixels."""

WORDS = 10
"""Words at each end of the list that a picture shows."""

RARE = 0.005
"""Words in a smaller share of the lines are left out of a picture."""


def table_panel(values: np.ndarray, rows: list[str], columns: list[str]) -> np.ndarray:
    """A table of shares (R, C) in percent, each cell as bright as its share of the largest."""
    height, width = CELL
    left = max(text_width(name, 13) for name in rows) + 12
    panel = blank((len(rows) + 1) * height, left + len(columns) * width)
    top = max(float(values.max()), 1e-9)
    for column, name in enumerate(columns):
        write(panel, name, left + (column + 0.5) * width, height - 9, 12, MUTED, align="centre")
    for number, name in enumerate(rows):
        y = (number + 1) * height
        write(panel, name, left - 10, y + 17, 13, MUTED, align="end")
        for column, value in enumerate(values[number]):
            x = left + column * width
            panel[y + 1 : y + height - 1, x + 1 : x + width - 1] = colours(np.array(value / top))
            ink = GROUND if value > 0.6 * top else INK
            if value >= 0.005:
                write(panel, f"{100 * value:.0f}", x + width / 2, y + 17, 12, ink, align="centre")
    return panel


def words_panel(maps: StoryMaps) -> np.ndarray:
    """The words whose lines were attended to the most and the least, against attention spread evenly."""
    often = np.flatnonzero(maps.evenly_words >= RARE)
    lift = maps.words[often] / maps.evenly_words[often]
    ranked = [(maps.vocabulary[often[at]], float(lift[at])) for at in np.argsort(-lift, kind="stable")]
    split = min(WORDS, (len(ranked) + 1) // 2)
    asked = ("any word of the question", maps.question / max(maps.evenly_question, 1e-9))
    columns = [[asked, *ranked[:split]], ranked[max(split, len(ranked) - WORDS) :]]
    top = max(2.0, *(value for column in columns for _, value in column))
    return beside([_bars(column, top) for column in columns if column], 40)


def _bars(named: list[tuple[str, float]], top: float, width: int = 180) -> np.ndarray:
    """Bars of named values from 0 to `top`, with a mark at 1."""
    left = max(text_width(name, 13) for name, _ in named) + 12
    panel = blank(22 * len(named), left + width + 60)
    for number, (name, value) in enumerate(named):
        y = 22 * number
        write(panel, name, left - 10, y + 16, 13, INK, align="end")
        panel[y + 5 : y + 17, left : left + width] = TRACK
        shade = colours(np.array(0.35 + 0.4 * value / top))
        panel[y + 5 : y + 17, left : left + round(width * min(value, top) / top)] = shade
        panel[y + 2 : y + 20, left + round(width / top)] = OTHER
        write(panel, f"× {value:.2f}", left + width + 8, y + 16, 12, MUTED)
    return panel


def story_sheet(env: Any, attention: StoryAttention, maps: StoryMaps, title: str, subtitle: str) -> np.ndarray:
    """Which lines and words agents attend to.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    turns, hidden = len(maps.by_line), "place" in env.metadata["roles"].values()
    turn = "glimpse" if hidden else "hop"
    names = [f"{turn} {number}" for number in range(1, turns + 1)]
    names[0] += " (given)" if hidden else ""
    places = min(PLACES, maps.by_line.shape[1])
    lines = ["last", *(f"-{place}" for place in range(1, places))]
    first = first_chosen(env, turns) + 1
    of = f"{turn}s {first} to {turns}" if turns > first else f"{turn} {turns}"
    around = [str(place) if place < 0 else "hit" if place == 0 else f"+{place}" for place in range(-REACH, REACH + 1)]
    by = env.metadata["group_key"] if len(np.unique(attention.group)) > 1 else "answer"
    shown = [shorten(name, 13, 190) for name in maps.classes[:CLASSES]]
    along = table_panel(maps.by_line[:, :places], names, lines)
    with_even = np.concatenate([maps.by_support, maps.evenly_by_support[None]])
    near = table_panel(with_even, [*names, "spread evenly"], around)
    by_class = table_panel(maps.by_class[:CLASSES, :places], shown, lines)
    note = f"attention on lines that hold a word, against attention spread evenly (× 1); {of}"
    nearest = "percent, by distance from the nearest of them in lines"
    parts = [
        section("Along the story", "percent, by line from the end", along, 2),
        section("Around the lines that the answer rests on", nearest, near, 2),
        section(f"By {by}", f"{of}, by line from the end", by_class, 2),
        section("Words", note, words_panel(maps), 8),
    ]
    return sheet(title, subtitle, parts, 18)
