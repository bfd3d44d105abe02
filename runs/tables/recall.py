"""The tables of what is recalled, for `runs/RESULTS.md`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from runs.tables.cells import table_row

FAILED = 5
"""Percent of error above which a task of bAbI counts as failed (Weston et al. 2015)."""

PUBLISHED = {
    "babi-1k": "12.4 (MemN2N, joint), 8.50 (Universal Transformer), 7.78 (with halting)",
    "babi-10k": "16.7 ± 7.6 (DNC, 20 runs; best 3.8), 0.29 (Universal Transformer, best of 10)",
    "mqar-64": "0.0 (attention), 7 (H3)",
    "mqar-128": "0.0 (attention), 76 (H3)",
    "mqar-256": "0.0 (attention), 92 (H3)",
    "copy-ntm": "0 after 17,000 sequences (public port, 4 seeds)",
    "recall-ntm": "0 after 30,000 sequences (Graves et al. 2014)",
}
"""Published errors in percent on the recipes' tasks; for copy and recall, bits per sequence."""

LONGER = {
    "copy": (
        (("min_length=120", "max_length=120"), ()),
        (("min_length=200", "max_length=200"), ("slots=256",)),
    ),
    "recall": ((("min_items=12", "max_items=12"), ()),),
}
"""Settings outside the training, by the first word of the recipe: arguments, and options of the memory."""

LONGER_HEAD = """
### Longer than trained

Sequences longer than any in training, 1,000 of them, as in the figures of Graves et al. 2014, sections 4.1 and 4.3:
`python -m runs.evaluate runs/pretrained/<recipe>.pt --arguments <setting>`, and where slots are named, with
`--memory-options slots=…`: more than the same weights were trained with.

| recipe | setting | bits per sequence | bits right | whole sequences right |
|---|---|---|---|---|
"""

RULES = (0, 60.1, 79.4, 33.8, 53.4, 50.3, 51.1, 43.6, 36.2, 56.3, 24.9, 0, 5.6, 25.7, 78.7, 50.4, 48.0, 7.6, 91.3, 27.9)
"""Error of the best one-line rule on each task of bAbI's test files: the majority, with or without the question's text,
the last word of the story that is an answer, the answer in the last sentence that shares a word with the question."""

MEMN2N = (0, 13.1, 23.4, 5.9, 12.9, 3.7, 22.9, 9.1, 2.7, 7.2, 0.8, 0.1, 0.1, 4.2, 0, 1.2, 43.6, 10.5, 86.7, 0)
"""Error of the memory network trained jointly on the 1k files (its author's own rerun)."""

HEAD = """
## What is recalled

Test error in percent of wrong answers; bits per sequence for `copy` and `recall`. bAbI: the released test files, every
question once, one model for all twenty tasks; in training the names of people, places and things change places
(`rename`), which the published models do not do. Copy and recall: 1,000 sequences of a seed of their own.

| recipe | memory | error | wrong episodes | published | parameters | episodes | machine, time |
|---|---|---|---|---|---|---|---|
"""


def recall_row(name: str, report: dict[str, Any], memory: str, parameters: int, run: dict[str, Any]) -> str:
    """A line of the table."""
    unit = " bits" if report["unit"].startswith("bits") else ""
    begun = f", begun with `{Path(run['init_from']).stem}`" if run.get("init_from") else ""
    error = f"**{report['error']:.{4 if unit else 2}f}**{unit}"
    wrong, published = f"{report['wrong_episodes']:.2f} %", PUBLISHED.get(name, "–")
    episodes, time = f"{run['episodes']:,}{begun}", f"{run['machine']}, {run['seconds'] / 60:.1f} min"
    return table_row(f"`{name}`", memory, error, wrong, published, f"{parameters:,}", episodes, time)


def longer_row(name: str, report: dict[str, Any]) -> str:
    """A line of the table of longer sequences."""
    setting = " ".join([*report["arguments"], *report.get("memory_options", [])])
    right, whole = f"{100 - report['wrong_answers']:.2f} %", f"{100 - report['wrong_episodes']:.1f} %"
    return table_row(f"`{name}`", setting, f"{report['bits']:.4f}", right, whole)


def by_task(name: str, reports: list[dict[str, Any]]) -> str:
    """A table of bAbI's twenty tasks, beside the best one-line rule: a figure above its rule's is a failure.

    Args:
        name: of the recipe.
        reports: one for each seed.
    """
    errors = np.array([report["error"] for report in reports])
    tasks = {
        task: np.array([report["error_by_task"][task] for report in reports]) for task in reports[0]["error_by_task"]
    }
    failed = sum((values > FAILED).mean() for values in tasks.values())
    lines = [
        f"\n### `{name}`, task by task\n",
        f"Mean{' ± sd' * (len(reports) > 1)} over {len(reports)} seed{'s' * (len(reports) > 1)}: "
        f"**{mean_and_deviation(errors, 2)}**; {failed:.1f} tasks above {FAILED} %.\n",
        "| task | error | best one-line rule | MemN2N, 1k joint | |",
        "|---|---|---|---|---|",
    ]
    for task, (rule, published) in enumerate(zip(RULES, MEMN2N, strict=True), 1):
        values = tasks.get(str(task))
        if values is not None:
            note = "**no better than the rule**" if values.mean() >= rule and values.mean() > 0 else ""
            lines.append(f"| {task} | {mean_and_deviation(values, 1)} | {rule} | {published} | {note} |")
    return "\n".join(lines) + "\n"


def mean_and_deviation(values: np.ndarray, digits: int) -> str:
    """Mean and, of several, standard deviation."""
    deviation = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{deviation}"
