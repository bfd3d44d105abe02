"""Pictures of attention in stories: tables of heat by place, around the supporting lines and by class, and words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from runs.traces.heat_pictures import CLASSES, colours
from runs.traces.layout import (
    GROUND,
    INK,
    MUTED,
    OTHER,
    TRACK,
    above,
    beside,
    blank,
    framed,
    heading,
    label,
    shorten,
    text_width,
    write,
)
from runs.traces.story_attention import StoryAttention, around_support, from_the_end, on_question_words, on_words

PLACES = 12
"""Lines from the end of a story that a picture shows; numbers are kept of all."""

REACH = 5
"""Lines before and after a supporting line."""

CELL = (26, 46)
"""Height and width of a cell in pixels."""

WORDS = 10
"""Words at each end of the list that a picture shows."""

RARE = 0.005
"""Words in a smaller share of the lines are left out of a picture."""


class StoryMaps(NamedTuple):
    """Mean attention, in [0, 1], over many stories.

    Attributes:
        by_line: (R, L) of each turn, on the last line, the last but one, …
        by_support: (R, 2 reach + 1) of each turn, by distance from the nearest supporting line.
        evenly_by_support: (2 reach + 1,) the same for attention spread evenly over each story.
        by_class: (K, L) by the right answer, or by group where there are several: of the turns that the agent chose, on
            the last line, the last but one, …
        classes: the K names.
        words: (V,) on lines that hold each word of the vocabulary.
        evenly_words: (V,) the same for attention spread evenly.
        question: on lines that share a word with the question, and
        evenly_question: the same for attention spread evenly.
        on_story: (R,) share of each turn's attention that was on the story; the rest was on the question.
    """

    by_line: np.ndarray
    by_support: np.ndarray
    evenly_by_support: np.ndarray
    by_class: np.ndarray
    classes: tuple[str, ...]
    words: np.ndarray
    evenly_words: np.ndarray
    question: float
    evenly_question: float
    on_story: np.ndarray


def story_maps(attention: StoryAttention) -> StoryMaps:
    """Mean attention by place, around supporting lines, by class and by word."""
    weights, story, evenly = attention.weights, attention.story, attention.evenly()
    chosen, words = weights[:, attention.chosen() :], len(attention.vocabulary)
    numbers = np.unique(attention.group)
    groups = (
        [(f"{attention.group_key} {number}", attention.group == number) for number in numbers]
        if len(numbers) > 1
        else [(name, story.target == index) for index, name in enumerate(attention.answers)]
    )
    groups = [(name, rows) for name, rows in groups if rows.any()]
    return StoryMaps(
        from_the_end(weights, story.count),
        around_support(weights, story.support, REACH),
        around_support(evenly, story.support, REACH)[0],
        np.stack([from_the_end(chosen[rows], story.count[rows]).mean(0) for _, rows in groups]),
        tuple(name for name, _ in groups),
        on_words(chosen, story.tokens, words),
        on_words(evenly, story.tokens, words),
        on_question_words(chosen, story.tokens, story.question),
        on_question_words(evenly, story.tokens, story.question),
        attention.on_story.mean(0),
    )


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


def words_panel(maps: StoryMaps, vocabulary: tuple[str, ...]) -> np.ndarray:
    """The words whose lines were attended to the most and the least, against attention spread evenly."""
    often = np.flatnonzero(maps.evenly_words >= RARE)
    lift = maps.words[often] / maps.evenly_words[often]
    order = np.argsort(-lift, kind="stable")
    split = min(WORDS, (len(order) + 1) // 2)
    ends = [order[:split], order[max(split, len(order) - WORDS) :]]
    named = [("any word of the question", maps.question / max(maps.evenly_question, 1e-9))]
    columns = [named + [(vocabulary[often[place]], float(lift[place])) for place in ends[0]]]
    columns.append([(vocabulary[often[place]], float(lift[place])) for place in ends[1]])
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
        panel[y + 5 : y + 17, left : left + round(width * min(value, top) / top)] = colours(
            np.array(0.35 + 0.4 * value / top)
        )
        panel[y + 2 : y + 20, left + round(width / top)] = OTHER
        write(panel, f"× {value:.2f}", left + width + 8, y + 16, 12, MUTED)
    return panel


def story_sheet(attention: StoryAttention, maps: StoryMaps, title: str, subtitle: str) -> np.ndarray:
    """Which lines and words agents attend to: an RGB picture (height, width, 3) uint8.

    Args:
        attention: of many episodes.
        maps: their `story_maps`.
        title: of the picture.
        subtitle: a quieter line below it.
    """
    turns = len(maps.by_line)
    turn = "glimpse" if attention.hidden else "hop"
    names = [f"{turn} {number}" for number in range(1, turns + 1)]
    names[0] += " (given)" if attention.hidden else ""
    places = min(PLACES, maps.by_line.shape[1])
    lines = ["last", *(f"-{place}" for place in range(1, places))]
    first = attention.chosen() + 1
    of = f"{turn}s {first} to {turns}" if turns > first else f"{turn} {turns}"
    around = [str(place) if place < 0 else "hit" if place == 0 else f"+{place}" for place in range(-REACH, REACH + 1)]
    by = attention.group_key if len(np.unique(attention.group)) > 1 else "answer"
    shown = [shorten(name, 13, 190) for name in maps.classes[:CLASSES]]
    evenly = [*names, "spread evenly"]
    parts = [
        _titled("Along the story", "percent, by line from the end", maps.by_line[:, :places], names, lines),
        _titled(
            "Around the lines that the answer rests on", "percent, by distance from the nearest of them in lines",
            np.concatenate([maps.by_support, maps.evenly_by_support[None]]), evenly, around,
        ),
        _titled(f"By {by}", f"{of}, by line from the end", maps.by_class[:CLASSES, :places], shown, lines),
        above(
            [
                heading("Words", f"attention on lines that hold a word, against attention spread evenly (× 1); {of}"),
                words_panel(maps, attention.vocabulary),
            ],
            8,
        ),
    ]  # fmt: skip
    return framed(above([label(title, 22, weight=600), label(subtitle, 14, MUTED), *parts], 18), 24)


def _titled(title: str, note: str, values: np.ndarray, rows: list[str], columns: list[str]) -> np.ndarray:
    return above([heading(title, note), table_panel(values, rows, columns)], 2)
