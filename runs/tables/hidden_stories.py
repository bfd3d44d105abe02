"""The table of hidden stories, of which the agent fixates a few lines, for `runs/RESULTS.md`."""

from __future__ import annotations

from typing import Any

from runs.tables.cells import table_row

HEAD = """
## Hidden stories

`babi-gaze-<task>`: the question is known, and the agent fixates a few lines of the story. Test error in percent, on the
released questions, each once; gaze at the policy's mean. Trained on generated questions, 100,000 a task. Controls are
the same network trained for the last lines of the story (`-last`), for random lines (`-random`) and for every second
line, from the last one back (`-scan`). The learned gaze starts from the weights of the scan where there is one, in task
1 from those of `-last`, and so has seen more episodes in all. *Map* is the number of lines in the story map. *Random
gaze* shows the same weights random lines. *Support hit rate* is the share of the supporting lines, as the files name
them, that were fixated; the map does not count. The reader of whole stories is `babi-10k`, trained on all tasks.

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
        reader: error by task of an agent that reads whole stories; may be empty.
        parameters: of the agent.
        lines: of its map; 0 where it has none.
    """
    errors = [f"**{report['error']:.2f}**", f"{report['error_random_gaze']:.2f}"]
    hits, whole = f"{report['support_hit_rate']:.1f} %", f"{reader[task]:.2f}" if task in reader else "–"
    return table_row(f"`{name}`", report["glimpses"], lines or "–", *errors, hits, whole, f"{parameters:,}")
