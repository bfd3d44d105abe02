"""The tables of images, for `runs/RESULTS.md`: errors beside the paper's, the cost of a decision, errors by glimpse."""

from __future__ import annotations

from typing import Any

from agents import AttentionAgent
from runs.tables.cells import parameter_count, table_row

PAPER = {
    "mnist": ("1.07", "conv 1.21"),
    "translated": ("1.20", "conv 1.62"),
    "cluttered": ("4.04", "conv 8.09, random gaze 14.4"),
    "fashion": ("–", "no glimpse figure published"),
    "fashion-cluttered": ("–", "no glimpse figure published"),
    "traffic-signs": ("–", "most frequent category 60.4"),
    "omniglot": ("–", "alike pixels 81.0, modified Hausdorff distance 38.8"),
    "pairs": ("5", "RAM 9, without context 7"),
    "addition": ("2.5", "conv 3.2"),
    "catch": ("15", ""),
    "cluttered100": ("8.11", "conv 14.35, random gaze 28.4"),
    "cluttered-random": ("14.4", ""),
    "cluttered100-random": ("28.4", ""),
    "cnn-cluttered": ("–", ""),
    "paper-cnn-cluttered": ("8.09", ""),
    "paper-cnn-cluttered100": ("14.35", ""),
}
"""Error of the paper's model and its controls (Mnih et al. 2014, tables 1 to 3, NIPS version, and section 4.2 for
`catch`; Ba et al. 2015 for `pairs` and `addition`)."""

HEAD = """# Results

Test error in percent: each image or scene of the test split once (`seed 2**41`), gaze at the policy's mean,
no averaging. Weights were chosen on the validation split; nothing was chosen by the test split. Written by
`python -m runs.results`; each row is reproduced by `python -m runs.evaluate runs/pretrained/<recipe>.pt`.

*Random gaze* shows the same weights random places; the rows `*-random` are the same network **trained** for random
places, which is the fair control; that of `cluttered100` was trained for fewer episodes. *Multiply-adds* are those of
one whole decision, all glimpses together.

| recipe | glimpses | error | random gaze | paper | parameters | multiply-adds |
|---|---|---|---|---|---|---|
"""

BY_GLIMPSE = """
## Error after each glimpse

| recipe | error after glimpse 1, 2, … |
|---|---|
"""


def result_row(name: str, report: dict[str, Any], agent: AttentionAgent) -> str:
    """A line of the first table."""
    paper, controls = PAPER.get(name, ("–", ""))
    quoted = f"{paper} ({controls})" if controls else paper
    chance = f"{report['error_random_gaze']:.2f}" if report["glimpses"] > 1 else "–"
    error, size = f"**{report['error']:.2f}**", f"{parameter_count(agent):,}"
    return table_row(f"`{name}`", report["glimpses"], error, chance, quoted, size, f"{report['multiply_adds']:,}")


def by_glimpse_row(name: str, report: dict[str, Any]) -> str:
    """A line of the second table."""
    return table_row(f"`{name}`", " · ".join(f"{error:.2f}" for error in report["error_by_glimpse"]))
