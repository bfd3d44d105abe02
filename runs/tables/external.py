"""The table of the agent's results in other people's environments, for `runs/RESULTS.md`."""

from __future__ import annotations

import math
from typing import Any

from runs.tables.cells import table_row

PUBLISHED = {
    "circle-square": "error 3.3 ± 4.9 (APPLE-CrossQ, 250,000 steps), 0.9 ± 0.5 (the same, 1,000,000), "
    "5.3 ± 2.4 (APPLE-SAC, 250,000), 21.4 ± 4.8 (PPO, 10,000,000), 48.2 ± 7.0 (HAM, 10,000,000)",
    "circle-square-random": "error 43.2 ± 10.7 (random actions, 250,000 steps)",
    "hide-and-seek": "base return 9.1 ± 2.2 (APPLE-CrossQ, 1,000,000 steps), 2.7 ± 4.0 (APPLE-SAC), "
    "1.4 ± 3.2 (CrossQ that predicts nothing)",
    "hide-and-seek-random": "–",
}
"""The last points of the curves in Schneider et al. 2026 (from its data), mean and deviation over five seeds."""

HEAD = """
## In other people's environments

`ap_gym` (Schneider et al. 2026): 1,000 new episodes, motion at the policy's mean. In `circle-square` motions earn the
gain in the truth's log-likelihood, in `hide-and-seek` the environment's own reward. *Error* is that of the last answer,
in percent. *Return* is the sum of an episode's rewards; *base return* is what remains of it without the price of the
answers. Rows `*-random` are the same network trained for random motion.

| recipe | steps of an episode | error | return | base return | published | parameters |
|---|---|---|---|---|---|---|
"""


def external_row(name: str, report: dict[str, Any], answers: int, parameters: int) -> str:
    """A line of the table.

    Args:
        name: of the weight file.
        report: of `runs.evaluate`.
        answers: number of classes; `ap_gym` counts cross-entropy in units of its logarithm.
        parameters: of the network.
    """
    base = report["mean_return"] + report["cross_entropy"] / math.log(answers)
    numbers = [f"{report['steps']:.0f}", f"**{report['error']:.2f}**", f"{report['mean_return']:.2f}", f"{base:.2f}"]
    return table_row(f"`{name}`", *numbers, PUBLISHED.get(name, "–"), f"{parameters:,}")
