"""The table of errors by kind of question or scene, for `runs/RESULTS.md`, and where the recall lies."""

from __future__ import annotations

from typing import Any

from runs.tables.cells import table_row

HEAD = """
## Errors by kind of question or scene

Test error in percent. *Recall* is the share of the last hop's read weight on what the answer rests
on, mean over heads; – where the memory does not say, or it is not known.

| recipe | gaze | error | by kind | recall |
|---|---|---|---|---|
"""

MOST = 8
"""Kinds of questions that have room in a line."""


def walk_row(name: str, report: dict[str, Any]) -> str:
    """A line; "" for a report without kinds of questions."""
    kinds = report.get("error_by_group", {})
    if not 0 < len(kinds) <= MOST:
        return ""
    each = " · ".join(f"{kind} {error:.1f}" for kind, error in kinds.items())
    recall = f"{report['recall_hit_rate']:.1f}" if "recall_hit_rate" in report else "–"
    return table_row(f"`{name}`", report["gaze"], f"**{report['error']:.2f}**", each, recall)
