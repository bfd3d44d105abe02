"""Pictures of a memory: an episode's words lit by attention, write gate line by line, weights over time."""

from __future__ import annotations

import cv2
import numpy as np

from runs.layout import (
    GROUND,
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
from runs.recollections import Recollection

LINE = 24
"""Height of a line of text in pixels."""

CELL = 26
"""Width of a cell of weights."""

LIT = np.array([255, 190, 70])
"""What attention lights words with: full at weight 1."""


def lit(weight: float) -> tuple[int, int, int]:
    """The ground, as far as weight in [0, 1] lights it; small weights are raised so that they can be seen."""
    share = float(np.clip(weight, 0, 1)) ** 0.5
    colour = (1 - share) * np.array(GROUND) + share * 0.75 * LIT
    return tuple(int(value) for value in colour)  # type: ignore[return-value]


def heat(weights: np.ndarray, height: int = 96, width: int = 420) -> np.ndarray:
    """Weights (T, S) as a map, steps from left to right and slots from top to bottom."""
    cells = np.array([[lit(weight) for weight in row] for row in np.clip(weights.T, 0, 1)], np.uint8)
    return cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST)


def story_panel(memory: Recollection, title: str) -> np.ndarray:
    """A story line by line: how much of it was written, its words lit by the last answer's attention, hop by hop."""
    lines = memory.lines
    recalled = np.zeros((0, len(lines))) if memory.recalled is None else memory.recalled
    hops, total = len(recalled), recalled.mean(0) if len(recalled) else np.zeros(len(lines))
    gate = np.zeros(len(lines)) if memory.gate is None else memory.gate
    text_left, wide = 76 + hops * CELL, max(text_width(line, 14) for line in [*lines, memory.question, " " * 90])
    panel = blank(LINE * (len(lines) + 1), text_left + wide + 24)
    write(panel, "write", 30, 16, 11, MUTED)
    for hop in range(hops):
        write(panel, str(hop + 1), 76 + hop * CELL + (CELL - 3) / 2, 16, 11, MUTED, align="centre")
    write(panel, "hops, and the words they light together", text_left + 8, 16, 11, MUTED)
    for row, line in enumerate(lines):
        top = LINE * (row + 1)
        write(panel, str(row + 1), 22, top + 17, 12, MUTED, align="end")
        cv2.rectangle(panel, (30, top + 6), (66, top + 16), TRACK, -1)
        cv2.rectangle(panel, (30, top + 6), (30 + round(36 * float(gate[row])), top + 16), OTHER, -1)
        for hop in range(hops):
            left = 76 + hop * CELL
            corner = (left + CELL - 3, top + LINE - 3)
            cv2.rectangle(panel, (left, top + 2), corner, lit(float(recalled[hop, row])), -1)
        cv2.rectangle(panel, (text_left, top + 2), (panel.shape[1] - 8, top + LINE - 3), lit(float(total[row])), -1)
        write(panel, line, text_left + 8, top + 17, 14, INK)
    maps = [beside([label(name, 12, MUTED), heat(value, 120, 520)], 8) for name, value in weights_of(memory)]
    return above([label(title, 15, weight=600), panel, *maps, _verdict(memory)], 8)


def weights_of(memory: Recollection) -> list[tuple[str, np.ndarray]]:
    """Write and read weights (T, S), where slots are not steps."""
    return [(name, value) for name, value in (("write", memory.write), ("read", memory.read)) if value is not None]


def _verdict(memory: Recollection) -> np.ndarray:
    right = memory.answer == memory.truth
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
    maps = [("shown", memory.shown)]
    if answers.shape == truths.shape and answers.shape[1] > 1 and memory.shown.shape[1] > 1:
        silent = np.zeros((len(memory.shown) - len(truths), truths.shape[1]))
        maps += [(name, np.concatenate([silent, value])) for name, value in (("answer", answers), ("target", truths))]
    maps += weights_of(memory)
    for name, value in maps:
        height = 12 * min(value.shape[1], 10) if name in ("shown", "answer", "target") else 120
        named = blank(height, 60)
        write(named, name, 4, height / 2 + 4, 12, MUTED)
        parts.append(beside([named, heat(value, height, 520)]))
    return above(parts, 8)


def memory_sheet(memories: list[Recollection], title: str, subtitle: str) -> np.ndarray:
    """Several episodes one above the other."""
    panels = [
        story_panel(memory, f"episode {number}") if memory.lines
        else sequence_panel(memory, f"episode {number}")
        for number, memory in enumerate(memories)
    ]  # fmt: skip
    return framed(above([label(title, 20, weight=700), label(subtitle, 13, MUTED), *panels], 18), 24)
