"""Visual search: what is shown, what is right, and where."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from agents import AgentConfig, evaluate, make_agent
from glimpse_env.backend import get_backend
from glimpse_env.search_scenes import COLOURS, FORMS, KINDS, SIDE
from glimpse_env.tasks.search import Search
from runs import set_sizes
from runs.traces.trace import record_traces

SEEDS, EPISODES = np.full(90, 4), np.arange(90)


def make(**changes: Any) -> Search:
    return Search(get_backend("numpy"), **{"items": (1, 20), "num_glimpses": 3, **changes})


def seen_items(canvas: np.ndarray) -> list[tuple[int, int, int, int]]:
    """The items of a canvas (3, H, W), read off its pixels: shape, colour, x, y."""
    found = []
    for colour, rgb in enumerate(COLOURS.values()):
        here = (canvas == np.array(rgb, np.uint8)[:, None, None]).all(0)
        for y, x in np.argwhere(here):
            window = here[y : y + SIDE, x : x + SIDE]
            for shape, form in enumerate(FORMS):
                left = int(np.flatnonzero(form[0])[0])
                window = here[y : y + SIDE, max(x - left, 0) : x - left + SIDE]
                if window.shape == form.shape and (window == form).all():
                    found.append((shape, colour, int(x) - left, int(y)))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_painted_is_the_target_among_distractors_of_the_kind(kind: str) -> None:
    task = make(kinds=kind)
    canvas, target = task.scenes(SEEDS, EPISODES)
    state, boxes = task.begin(SEEDS, EPISODES), task.target_boxes(SEEDS, EPISODES)
    counts, both = set(), set()
    for row in range(90):
        shape, colour = state["query"][row]
        items = set(seen_items(canvas[row]))
        counts.add(len(items))
        targets = [item for item in items if item[:2] == (shape, colour)]
        assert len(targets) == target[row]
        if target[row]:
            x, y = targets[0][2:]
            np.testing.assert_array_equal(boxes[row], [x, y, x + SIDE, y + SIDE])
        off = {(item[0] != shape, item[1] != colour) for item in items if item not in targets}
        assert off <= {"colour": {(False, True)}, "shape": {(True, False)}}.get(kind, {(True, False), (False, True)})
        both |= off
    assert both == {"colour": {(False, True)}, "shape": {(True, False)}}.get(kind, {(True, False), (False, True)})
    assert min(counts) == 1
    assert max(counts) == 20
    assert 0.3 < target.mean() < 0.7


def test_yes_is_right_only_where_the_fixation_is_on_it() -> None:
    task = make()
    path = task.gaze("oracle", SEEDS, EPISODES)
    for look, expected in (("oracle", True), ("corner", False)):
        state = task.begin(SEEDS, EPISODES)
        for step in range(3):
            place = path[:, min(step, 1)] if look == "oracle" else np.ones((90, 2), np.float32)
            outcome = task.act(state, {"location": place, "answer": state["target"]})
            state = outcome.state
        there = outcome.info["target"] == 1
        assert outcome.terminated.all()
        assert (outcome.info["correct"][there] == expected).all()
        assert outcome.info["correct"][~there].all()  # "no" is right wherever one looks
        np.testing.assert_array_equal(outcome.reward, outcome.info["correct"].astype(np.float32))


def test_hits_are_counted_where_it_is_there() -> None:
    task = make()
    path = np.concatenate([np.zeros((90, 1, 2), np.float32), task.gaze("oracle", SEEDS, EPISODES)], axis=1)
    assert task.path_metrics(path, SEEDS, EPISODES)["attention/target_hit_rate"] == pytest.approx(1)


def test_pictures_and_evaluations_call_right_what_the_environment_does() -> None:
    """Also where the answer is right, and the fixation is not on it."""
    settings: dict[str, Any] = {"items": (1, 3), "size": 48, "num_glimpses": 2, "backend": "torch"}
    env = gym.make_vec("glimpse_env:Glimpse/Search-v0", num_envs=50, autoreset_mode="Disabled", **settings)
    agent = make_agent(env, AgentConfig(width=8, where_stream=4))
    traces, result = record_traces(agent, env, np.arange(100)), evaluate(agent, env, 100)
    named = np.mean([np.array_equal(trace.answer, trace.target) for trace in traces])
    assert np.mean([trace.correct for trace in traces]) == pytest.approx(1 - result.error / 100)
    assert named > 1 - result.error / 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": 0}, "from 1 to 64"),
        ({"items": 3.5}, "from 1 to 64"),
        ({"items": None}, "from 1 to 64"),
        ({"kinds": None}, "kinds must be"),
        ({"items": (5, 2)}, "from 1 to 64"),
        ({"items": (1, 65)}, "from 1 to 64"),
        ({"items": (1, 2, 3)}, "from 1 to 64"),
        ({"kinds": "size"}, "kinds must be"),
        ({"kinds": ()}, "kinds must be"),
        ({"size": 12}, "size must be"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**change)


def test_the_table_of_set_sizes_has_a_row_for_each_kind_and_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(set_sizes, "SIZES", (1, 7))
    monkeypatch.setattr(set_sizes, "KINDS", ("colour",))
    set_sizes.main("search", certainty=0.95, episodes=20)
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("|")][2:]
    assert [cells[0].strip() for cells in rows] == ["colour, 1", "colour, 7"]
    assert all(1 <= float(cells[1].strip(" *")) <= 6 for cells in rows)
    with pytest.raises(SystemExit, match=r"--certainty is one of 0\.5, "):
        set_sizes.main("search", certainty=0.4)
