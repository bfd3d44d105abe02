"""Pictures of a memory: an episode's words lit by attention, write gate line by line, weights over time."""

from __future__ import annotations

import cv2
import numpy as np

from glimpse_env.render import magnification, show_canvas, window_colour
from runs.drawing.layout import (
    INK,
    MUTED,
    OTHER,
    TRACK,
    TRUTH,
    WRONG,
    above,
    beside,
    blank,
    framed,
    label,
    text_width,
    verdict_mark,
    write,
)
from runs.drawing.panels import number_panel
from runs.drawing.weight_maps import heat, lit, memory_maps
from runs.recording.recollections import Recollection

LINE = 24
"""Height of a line of text in pixels."""

CELL = 26
"""Width of a cell of weights."""


def story_panel(memory: Recollection, title: str) -> np.ndarray:
    """A story line by line: how much of it was written, its words lit by the last answer's attention, hop by hop.

    Of a hidden story, the glimpses in turn, with the number of the line looked at, green where the answer rests on it.
    """
    lines = memory.lines
    recalled = np.zeros((0, len(lines))) if memory.recalled is None else memory.recalled
    hops, total = len(recalled), recalled.mean(0) if len(recalled) else np.zeros(len(lines))
    hidden = memory.question != "" and memory.places is not None
    write_left = 76 if hidden else 30
    hops_left = write_left + (0 if memory.gate is None else 46)
    text_left = hops_left + hops * CELL
    wide = max(text_width(line, 14) for line in [*lines, memory.question, " " * 90])
    panel = blank(LINE * (len(lines) + 1), text_left + wide + 24)
    if hidden:
        write(panel, "line", 60, 16, 11, MUTED, align="end")
    if memory.gate is not None:
        write(panel, "write", write_left, 16, 11, MUTED)
    for hop in range(hops):
        write(panel, str(hop + 1), hops_left + hop * CELL + (CELL - 3) / 2, 16, 11, MUTED, align="centre")
    write(panel, "hops, and the words they light together", text_left + 8, 16, 11, MUTED)
    for row, line in enumerate(lines):
        top = LINE * (row + 1)
        write(panel, str(row + 1), 22, top + 17, 12, MUTED, align="end")
        if hidden and memory.places is not None:
            needed = memory.needed is not None and memory.needed[row]
            write(panel, str(memory.places[row]), 60, top + 17, 12, TRUTH if needed else INK, align="end")
        if memory.gate is not None:
            written = write_left + round(36 * float(memory.gate[row]))
            cv2.rectangle(panel, (write_left, top + 6), (write_left + 36, top + 16), TRACK, -1)
            cv2.rectangle(panel, (write_left, top + 6), (written, top + 16), OTHER, -1)
        for hop in range(hops):
            left = hops_left + hop * CELL
            corner = (left + CELL - 3, top + LINE - 3)
            cv2.rectangle(panel, (left, top + 2), corner, lit(float(recalled[hop, row])), -1)
        cv2.rectangle(panel, (text_left, top + 2), (panel.shape[1] - 8, top + LINE - 3), lit(float(total[row])), -1)
        write(panel, line, text_left + 8, top + 17, 14, INK)
    return above([label(title, 15, weight=600), panel, _verdict(memory)], 8)


def _verdict(memory: Recollection) -> np.ndarray:
    right = memory.correct
    parts = [label(memory.question, 14)] if memory.question else []
    parts += [
        verdict_mark(right),
        label(f"{memory.answer}  ({100 * memory.belief:.0f} %)", 14, TRUTH if right else WRONG),
    ]
    if not right:
        parts.append(label(f"it is {memory.truth}", 14, MUTED))
    return beside(parts, 12, "centre")


def sequence_panel(memory: Recollection, title: str) -> np.ndarray:
    """What was shown, answered and wanted, and the weights over the slots, step by step."""
    parts = [label(title, 15, weight=600)]
    answers, truths = (np.atleast_2d(np.asarray(value, np.float64)) for value in (memory.answer, memory.truth))
    maps = [("shown", memory.shown)] if memory.shown.shape[1] > 1 else []  # a number is no weight
    if answers.shape == truths.shape and answers.shape[1] > 1 and memory.shown.shape[1] > 1:
        silent = np.zeros((len(memory.shown) - len(truths), truths.shape[1]))
        maps += [(name, np.concatenate([silent, value])) for name, value in (("answer", answers), ("target", truths))]
    for name, value in maps:
        height = 12 * min(value.shape[1], 10)
        named = blank(height, 60)
        write(named, name, 4, height / 2 + 4, 12, MUTED)
        parts.append(beside([named, heat(value, height, 520)]))
    return above(parts, 8)


def glimpses_panel(memory: Recollection, title: str) -> np.ndarray:
    """The glimpses one by one, each with how much of it was written, and recalled for the last answer, hop by hop."""
    columns = []
    for step, glimpse in enumerate(memory.shown):
        pixels = np.round(glimpse[0].transpose(1, 2, 0) * 255).astype(np.uint8)
        picture = show_canvas(pixels, magnification(pixels.shape, 60, shrink=True))
        column = [number_panel(step + 1, last=step == len(memory.shown) - 1), framed(picture, 1, window_colour(0))]
        for weights in [] if memory.recalled is None else memory.recalled:
            column.append(blank(14, picture.shape[1] + 2, lit(float(weights[step]))))
        columns.append(above(column, 6, "centre"))
    legend = "glimpses" + ("" if memory.recalled is None else ", and how much each hop recalled of it at the end")
    return above([label(title, 15, weight=600), label(legend, 12, MUTED), beside(columns, 10), _verdict(memory)], 8)


def memory_panel(memory: Recollection, title: str) -> np.ndarray:
    """One episode: what was seen and recalled, and below it the memory's weights over time."""
    if memory.lines:
        seen, across = story_panel(memory, title), "line" if memory.question == "" else "glimpse"
    elif memory.shown.ndim > 2:
        seen, across = glimpses_panel(memory, title), "glimpse"
    else:
        seen, across = sequence_panel(memory, title), "step"
    maps = memory_maps(memory, across)
    return seen if maps is None else above([seen, maps], 20)


def memory_sheet(memories: list[Recollection], title: str, subtitle: str) -> np.ndarray:
    """Several episodes one above the other."""
    panels = [memory_panel(memory, f"episode {memory.episode:,}") for memory in memories]
    return framed(above([label(title, 20, weight=700), label(subtitle, 13, MUTED), *panels], 18), 24)
