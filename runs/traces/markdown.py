"""Tables in Markdown, as far as TensorBoard shows them.

It lets tables, bold letters and headings through, and neither colours nor styles: so words are lit by being bold, and
weights are bars of blocks.
"""

from __future__ import annotations

import html
import re

from runs.traces.trace import Trace

BLOCKS = "▁▂▃▄▅▆▇█"
"""Weights from 0 to 1."""


def outcome(trace: Trace) -> str:
    """The last answer, whether it is right, and the truth."""
    answer, target = (escape(trace.name(int(value[-1]))) for value in (trace.answer, trace.target))
    says = f"answer **{answer}** ({100 * trace.beliefs[-1].max():.0f} %)"
    return f"{says} ✓" if trace.correct else f"{says} ✗, it is **{target}**"


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
