"""Cells and lines that several tables share."""

from __future__ import annotations

from typing import Any

from agents import AttentionAgent


def parameter_count(agent: AttentionAgent) -> int:
    """Of what is used after the training: without the baseline."""
    return sum(p.numel() for key, p in agent.named_parameters() if not key.startswith("baseline."))


def table_row(*cells: Any) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |\n"


def memory_cell(agent: AttentionAgent) -> str:
    """The core, the memory and its options."""
    config: Any = agent.config
    core = "" if config.core == "none" else f"{config.core.upper()} {config.width}, "
    return f"{core}{config.memory} {' '.join(config.memory_options)}".strip()
