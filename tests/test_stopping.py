"""What stopping early costs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from runs.stopping import CERTAINTIES, Stopping, stopping_plot


def observed(probabilities: list[list[float]], right: list[list[bool]]) -> Stopping:
    """Of episodes whose likeliest answer of two has these probabilities, and is right or not, at each glimpse."""
    likely = torch.tensor(probabilities).T
    logits = torch.stack([likely, 1 - likely], dim=-1).log()
    stopping = Stopping()
    trajectory = SimpleNamespace(params={"answer": logits}, hits=torch.tensor(right).T[..., None])
    stopping(cast(Any, trajectory), len(right))
    return stopping


def test_each_stops_where_it_is_sure_enough_and_at_the_end() -> None:
    """The first is sure at once and wrong; the second at the third glimpse; the third never."""
    sure = [[0.96, 0.6, 0.6], [0.6, 0.75, 0.9996], [0.55, 0.6, 0.65]]
    right = [[False, True, True], [False, True, True], [True, False, False]]
    rows = {row["certainty"]: row for row in observed(sure, right).report()["stopping"]}
    assert set(rows) == {*CERTAINTIES, 1.0}
    assert rows[0.5] == {"certainty": 0.5, "mean_glimpses": 1, "error": pytest.approx(200 / 3, abs=1e-3)}
    assert rows[0.7]["mean_glimpses"] == pytest.approx((1 + 2 + 3) / 3)
    assert rows[0.7]["error"] == pytest.approx(200 / 3, abs=1e-3)
    assert rows[0.95]["mean_glimpses"] == pytest.approx((1 + 3 + 3) / 3, abs=1e-3)
    assert rows[0.98]["mean_glimpses"] == 3
    assert rows[1.0] == {"certainty": 1.0, "mean_glimpses": 3, "error": pytest.approx(100 / 3, abs=1e-3)}


def test_it_is_drawn_where_it_is_known() -> None:
    report = observed([[0.6, 0.9]] * 2, [[True, False], [False, False]]).report()
    report |= {"recipe": "toy", "glimpses": 2, "error_by_glimpse": [50.0, 100.0]}
    assert stopping_plot(report).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="one image"):
        stopping_plot({"recipe": "toy"})
