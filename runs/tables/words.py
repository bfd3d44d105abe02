"""The table of texts whose words are looked at one by one, for `runs/RESULTS.md`."""

from __future__ import annotations

from typing import Any

from runs.tables.cells import table_row

HEAD = """
## Words looked at one by one

Test error in percent. *Hit* is the share of the words that tell the answer which were looked at, where they are known,
and in brackets that of random places. The rules need no agent: `glimpse_env/sense_controls.py`.

| recipe | looks | error | random places | hit | rules | parameters |
|---|---|---|---|---|---|---|
"""


def word_row(name: str, report: dict[str, Any], size: int) -> str:
    """A line."""
    hit = f"{report['hit_rate']:.1f} ({report['hit_rate_random_gaze']:.1f})" if "hit_rate" in report else "–"
    rules = " · ".join(f"{rule} {error:.1f}" for rule, error in report.get("cheap_controls", {}).items()) or "–"
    random = f"{report['error_random_gaze']:.2f}"
    return table_row(f"`{name}`", report["glimpses"], f"**{report['error']:.2f}**", random, hit, rules, f"{size:,}")
