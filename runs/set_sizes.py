"""How many glimpses a search takes: `python -m runs.set_sizes [WEIGHTS] [--certainty 0.98] [--episodes 1000]`.

One row for each kind of target and number of items. A searcher stops as soon as its answer is so certain. The time that
people need does not depend on the number of items where one feature tells the target from the others, and grows with it
where two are needed (Treisman & Gelade 1980).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import tyro

from agents.training.checkpoint import find_checkpoint
from glimpse_env.search_scenes import KINDS
from runs.command_line import one_line_errors, run_script
from runs.evaluation import evaluate_checkpoint
from runs.stopping import CERTAINTIES
from runs.tables.cells import table_row

SIZES = (1, 5, 10, 20, 40)
"""Items on a canvas, the target among them."""

HEAD = """| kind, items | glimpses until certain | error then | error after all glimpses | random gaze |
|---|---|---|---|---|"""


def row(kind: str, items: int, report: dict[str, Any], certainty: float) -> str:
    """A line of the table, from the report of an evaluation on such scenes alone."""
    (stop,) = (found for found in report["stopping"] if found.get("certainty") == certainty)
    return table_row(
        f"{kind}, {items}",
        f"**{stop['mean_glimpses']:.2f}**",
        f"{stop['error']:.2f}",
        f"{report['error']:.2f}",
        f"{report['error_random_gaze']:.2f}",
    )


def main(weights: str = "search", /, certainty: float = 0.98, episodes: int = 1000) -> None:
    """Print the table.

    Args:
        weights: A weight file of Search-v0, or the name of a pretrained agent.
        certainty: Probability of the likeliest answer at which to stop.
        episodes: Test scenes of each row.
    """
    with one_line_errors():
        if certainty not in CERTAINTIES:
            raise ValueError(f"--certainty is one of {', '.join(map(str, CERTAINTIES))}, got {certainty}")
        path = find_checkpoint(weights)
        print(HEAD)
        for kind in KINDS:
            for items in SIZES:
                arguments = (f"kinds={kind}", f"items={items}")
                report = evaluate_checkpoint(path, episodes=episodes, arguments=arguments)
                print(row(kind, items, report, certainty), flush=True)


if __name__ == "__main__":
    run_script(partial(tyro.cli, main))
