"""The table of stories that are looked at line by line, for `runs/RESULTS.md`."""

from __future__ import annotations

from typing import Any

HEAD = """
## Hidden stories

`babi-gaze-<task>`: the question is known, and of the story a few lines may be looked at. Test error in percent, on the
released questions, each once; gaze at the policy's mean. Trained on generated questions, 100,000 a task. Controls are
the same network trained for the last lines of the story (`-last`), for random lines (`-random`) and for every second
line from the last one on (`-scan`); where there is a scan, the gaze that learns begins with its weights, in task 1 with
those of `-last`, and so has read more episodes in all. *Map* is how many lines are imagined. *Random gaze* shows the
same weights random lines. *Support hit rate* is the share of the lines that an answer rests on, as the files name them,
that were looked at; what a map tells of the lines between counts for nothing in it. The reader of whole stories is
`babi-10k`, trained on the released questions of all tasks at once.

| recipe | glimpses | map | error | random gaze | support hit rate | reader of the whole story | parameters |
|---|---|---|---|---|---|---|---|
"""


def story_row(
    name: str, report: dict[str, Any], task: str, reader: dict[str, float], parameters: int, lines: int
) -> str:
    """A line of the table.

    Args:
        name: of the weights.
        report: of `runs.evaluate`.
        task: of bAbI.
        reader: error by task of whoever reads whole stories; may be empty.
        parameters: of the agent.
        lines: of its map; 0 where it has none.
    """
    cells = [
        f"`{name}`",
        str(report["glimpses"]),
        str(lines or "–"),
        f"**{report['error']:.2f}**",
        f"{report['error_random_gaze']:.2f}",
        f"{report['support_hit_rate']:.1f} %",
        f"{reader[task]:.2f}" if task in reader else "–",
        f"{parameters:,}",
    ]
    return f"| {' | '.join(cells)} |\n"
