"""An episode with a memory as a Markdown table: its words lit by attention, the question, the answer and the truth.

TensorBoard lets tables, bold letters and headings through, and neither colours nor styles: so words are lit by being
bold, and weights are bars of blocks.
"""

from __future__ import annotations

import html
import re

import numpy as np

from runs.recording.recollections import Recollection

BLOCKS = "▁▂▃▄▅▆▇█"
"""Weights from 0 to 1."""

LIT = 0.5
"""Lines recalled at least this much, compared with the one recalled most, are bold."""


def episode_table(memory: Recollection) -> str:
    """One episode in Markdown."""
    head = [f"### {escape(memory.question)}"] if memory.question else []
    if memory.lines:
        return "\n\n".join([*head, verdict(memory), lines_table(memory)])
    if memory.shown.ndim > 2:
        return verdict(memory)
    answers = np.asarray(memory.answer)
    right = int((answers == np.asarray(memory.truth)).reshape(len(answers), -1).all(1).sum())
    return f"{right} of {len(answers)} answers right\n\n{answers_table(memory)}"


def verdict(memory: Recollection) -> str:
    """The answer, whether it is right, and the truth."""
    says = f"answer **{escape(str(memory.answer))}** ({100 * memory.belief:.0f} %)"
    return f"{says} ✓" if memory.correct else f"{says} ✗, it is **{escape(str(memory.truth))}**"


def lines_table(memory: Recollection) -> str:
    """The lines in the order they were seen, what was written of each, and recalled of it at the end, hop by hop."""
    hops = 0 if memory.recalled is None else len(memory.recalled)
    heads = ["line"]
    heads += [] if memory.needed is None else ["needed"]
    heads += [] if memory.gate is None else ["written"]
    heads += [f"hop {hop + 1}" for hop in range(hops)] + ["words"]
    together = np.zeros(len(memory.lines)) if memory.recalled is None else memory.recalled.mean(0)
    rows = []
    for row, words in enumerate(memory.lines):
        lit = together[row] > 0 and together[row] >= LIT * together.max()
        cells = [str(row + 1 if memory.places is None else memory.places[row])]
        cells += [] if memory.needed is None else ["●" if memory.needed[row] else ""]
        cells += [] if memory.gate is None else [bar(memory.gate[row])]
        cells += [bar(memory.recalled[hop, row]) for hop in range(hops)] if memory.recalled is not None else []
        rows.append([*cells, f"**{escape(words)}**" if lit and words else escape(words)])
    return table(heads, rows)


def answers_table(memory: Recollection) -> str:
    """The answers of a sequence, each beside the right one: bits as squares, tokens as numbers."""
    rows = [
        [str(number), said(truth), said(answer), "✓" if np.array_equal(answer, truth) else "✗"]
        for number, (answer, truth) in enumerate(zip(memory.answer, memory.truth, strict=True), 1)
    ]
    return table(["", "truth", "answer", ""], rows)


def said(value: np.ndarray) -> str:
    """A row of bits, or a number."""
    return "".join("■" if bit else "□" for bit in value) if np.ndim(value) else str(int(value))


def bar(weight: float) -> str:
    """A weight in [0, 1] as a block and in percent; nothing where it rounds to 0."""
    percent = round(100 * float(weight))
    return f"{BLOCKS[min(len(BLOCKS) - 1, int(float(weight) * len(BLOCKS)))]} {percent}" if percent else ""


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return re.sub(r"([\\`*_{}\[\]#|])", r"\\\1", html.escape(text, quote=False))
