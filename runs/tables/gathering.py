"""Rows that finished runs leave for a table, in a JSON file beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.training.checkpoint import write_atomically
from runs.command_line import one_line_errors

Rows = list[dict[str, Any]]


def load_rows(path: Path) -> Rows:
    """The rows gathered so far."""
    return json.loads(path.read_text()) if path.is_file() else []


def merged(rows: Rows, new: Rows, key: Callable[[dict[str, Any]], Any]) -> Rows:
    """All rows in the order of their keys; a new one replaces that of the same key."""
    table = {key(row): row for row in [*rows, *new]}
    return [table[each] for each in sorted(table)]


def gather(path: Path, folders: tuple[Path, ...], row_of: Callable[[Path], Any], key: Callable[..., Any]) -> Rows:
    """Add the rows of finished runs to the file at `path`; where a run has none, exit and say why.

    Args:
        path: of the rows gathered so far.
        folders: of the runs.
        row_of: a run's row; raises ValueError or FileNotFoundError where it has none.
        key: of a row, see `merged`.
    """
    with one_line_errors():
        rows = merged(load_rows(path), [row_of(folder) for folder in folders], key)
        write_atomically((json.dumps(rows, indent=1) + "\n").encode(), path)
    return rows
