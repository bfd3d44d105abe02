"""Cells and lines that several tables share."""

from __future__ import annotations

from typing import Any

from agents.loading import Agent


def parameter_count(agent: Agent) -> int:
    """Of what is used after the training: without the baseline."""
    return sum(p.numel() for key, p in agent.named_parameters() if not key.startswith("baseline."))


def table_row(cells: list[Any]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |\n"


def memory_cell(agent: Agent) -> str:
    """The core, the memory and its options."""
    config: Any = agent.config
    core = "" if config.core == "none" else f"{config.core.upper()} {config.width}, "
    return f"{core}{config.memory} {' '.join(config.memory_options)}".strip()
