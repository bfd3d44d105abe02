"""Sort-of-CLEVR: scenes and questions, read off what is painted and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents import AgentConfig
from agents.training.recipe import EnvConfig, Recipe
from glimpse_env.backend import get_backend
from glimpse_env.shape_scenes import COLOURS, QUESTIONS, place_objects
from glimpse_env.tasks.sort_of_clevr import SortOfCLEVR
from runs.evaluation import by_group, evaluate_checkpoint
from runs.training import train

SEEDS, EPISODES = np.full(300, 5), np.arange(300)


def make(**changes: Any) -> SortOfCLEVR:
    return SortOfCLEVR(get_backend("numpy"), **changes)


def seen_in(canvas: np.ndarray) -> dict[str, tuple[str, np.ndarray]]:
    """Shape and middle of the object of each colour, of a canvas (H, W, 3) on which none hides another."""
    found = {}
    for name, colour in COLOURS.items():
        y, x = np.nonzero((canvas == colour).all(-1))
        if len(y):
            box = np.array([x.min(), y.min(), x.max(), y.max()])
            area = (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
            found[name] = ("square" if len(y) == area else "circle"), (box[:2] + box[2:]) / 2
    return found


def expected(question: str, objects: dict[str, tuple[str, np.ndarray]], size: int) -> set[str]:
    """The right answers: more than one where two are as near."""
    (colour,) = (word for word in question.split() if word in COLOURS)
    shape, place = objects[colour]
    if question == f"is the {colour} object on the left":
        return {"yes" if place[0] < size / 2 else "no"}
    if question == f"is the {colour} object at the top":
        return {"yes" if place[1] < size / 2 else "no"}
    if question == f"what shape is the {colour} object":
        return {shape}
    if question == f"how many objects have the shape of the {colour} object":
        return {str(sum(other == shape for other, _ in objects.values()))}
    away = {name: float(np.square(where - place).sum()) for name, (_, where) in objects.items() if name != colour}
    best = (min if "nearest" in question else max)(away.values())
    return {objects[name][0] for name, distance in away.items() if distance == best}


def test_answers_are_those_of_what_is_painted() -> None:
    task = make(ask="after", queries=4, size=90, objects=5)  # large enough that few objects touch
    state = task.begin(SEEDS, EPISODES)
    checked: list[str] = []
    for row in range(len(EPISODES)):
        apart = np.abs(state["middle"][row][:, None] - state["middle"][row]).max(-1) + 99 * np.eye(5, dtype=int)
        if apart.min() <= 2 * task.radius:  # a corner may be hidden
            continue
        objects = seen_in(task.canvas(5, row))
        assert len(objects) == 5
        for tokens, target in zip(
            task.sentences[state["kind"][row], state["colour"][row]], state["target"][row], strict=True
        ):
            question = " ".join(task.words[id] for id in tokens if id)
            assert task.answer_names[target] in expected(question, objects, 90), question
            checked.append(task.answer_names[target])
    assert len(checked) > 400
    assert {"yes", "no", "square", "circle", "1", "2", "3", "4", "5"} <= set(checked)


def test_objects_do_not_overlap_and_every_place_shape_and_question_occurs() -> None:
    found = place_objects(np.full(2000, 1), np.arange(2000), 6, 75, 5)
    distance = np.square(found.middle[:, :, None] - found.middle[:, None]).sum(-1) + 1000 * np.eye(6, dtype=int)
    assert distance.min() >= 100
    assert found.middle.min() == 5
    assert found.middle.max() == 69
    assert 0.48 < found.shape.mean() < 0.52
    state = make().begin(np.full(3000, 2), np.arange(3000))
    assert np.bincount(state["kind"][:, 0], minlength=6).min() > 400
    assert np.bincount(state["colour"][:, 0], minlength=6).min() > 400


def test_asked_before_the_question_is_there_at_every_glimpse_and_the_last_answer_counts() -> None:
    task = make(num_glimpses=3)
    state = task.begin(SEEDS[:4], EPISODES[:4])
    question = task.observe(state)["tokens"]
    assert question.any(1).all()
    for step in range(3):
        np.testing.assert_array_equal(task.observe(state)["tokens"], question)
        assert task.observe(state)["glimpse"].any()
        outcome = task.act(state, {"location": np.zeros((4, 2), np.float32), "answer": state["target"][:, 0]})
        state = outcome.state
        assert outcome.terminated.all() == (step == 2)
        np.testing.assert_array_equal(outcome.reward, np.full(4, step == 2, np.float32))


def test_asked_after_each_question_has_a_step_of_its_own_and_shows_nothing_else() -> None:
    task = make(ask="after", num_glimpses=2, queries=3)
    state = task.begin(SEEDS[:4], EPISODES[:4])
    answers = np.concatenate([np.full((4, 2), 9), state["target"]], axis=1)
    answers[1, 3] = (answers[1, 3] + 1) % 10
    total = np.zeros(4)
    for step in range(5):
        seen, asks = task.observe(state), step >= 2
        assert seen["glimpse"].any() != asks
        assert seen["tokens"].any(1).all() == asks
        if asks:
            number = state["kind"][:, step - 2], state["colour"][:, step - 2]
            np.testing.assert_array_equal(seen["tokens"], task.sentences[number])
        outcome = task.act(state, {"location": np.full((4, 2), 0.5, np.float32), "answer": answers[:, step]})
        state, total = outcome.state, total + outcome.reward
        assert outcome.info["scored"].all() == asks
    np.testing.assert_allclose(total, [1, 2 / 3, 1, 1])
    np.testing.assert_array_equal(outcome.info["correct"], [True, False, True, True])


def test_the_twin_sees_the_whole_scene_at_once() -> None:
    task = make(whole=True, size=40, radius=3)
    assert task.horizon == 1
    state = task.begin(SEEDS[:2], EPISODES[:2])
    np.testing.assert_allclose(
        task.observe(state)["glimpse"][0, 0].transpose(1, 2, 0), task.canvas(5, 0) / 255, atol=1e-6
    )


def test_an_overview_shows_the_scene_in_cells_and_nothing_beside_a_question() -> None:
    task = make(ask="after", num_glimpses=1, size=40, radius=3, overview=10)
    state = task.begin(SEEDS[:2], EPISODES[:2])
    cells = task.canvas(5, 0).reshape(10, 4, 10, 4, 3).mean((1, 3)).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(task.observe(state)["overview"][0], cells, atol=1e-6)
    outcome = task.act(state, {"location": np.zeros((2, 2), np.float32), "answer": np.zeros(2, np.int64)})
    assert not task.observe(outcome.state)["overview"].any()


def test_the_oracle_looks_at_what_is_asked_for_and_then_at_all_others() -> None:
    task = make(num_glimpses=8)
    path = task.gaze("oracle", SEEDS, EPISODES)
    boxes, state = task.target_boxes(SEEDS, EPISODES), task.begin(SEEDS, EPISODES)
    pixels = (path + 1) / 2 * 75
    assert ((pixels[:, 0] > boxes[:, :2]) & (pixels[:, 0] < boxes[:, 2:])).all()
    for row in range(20):
        nearest = np.square(pixels[row, :6, None] - state["middle"][row] - 0.5).sum(-1).argmin(1)
        assert sorted(nearest.tolist()) == list(range(6))
    after = make(num_glimpses=4, ask="after").gaze("oracle", SEEDS, EPISODES)
    np.testing.assert_array_equal(after[:, 3], after[:, 2])  # where the question follows, it stays
    metrics = task.path_metrics(np.concatenate([path[:, :1], path], 1), SEEDS, EPISODES)
    assert metrics["attention/target_hit_rate"] > 0.2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ask": "later"}, 'ask must be "before" or "after"'),
        ({"queries": 2}, 'set ask="after"'),
        ({"objects": 7}, "at most 6"),
        ({"objects": 1}, "objects must be"),
        ({"size": 20}, "too small for objects of radius 5: at least 30"),
        ({"saccades": "far"}, "saccades must be"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**change)


def test_kinds_are_reported_by_name_and_in_families() -> None:
    report = by_group({0: 10.0, 1: 20.0, 3: 50.0}, make().metadata())
    assert report["error_by_group"] == {"what shape is the … object": 10, "is the … object on the left": 20} | {
        "what shape is nearest to the … object": 50
    }
    assert report["error_nonrelational"] == 15
    assert report["error_relational"] == 50
    assert len(QUESTIONS) == len(make().group_names)


def test_an_evaluation_tells_the_errors_by_kind_and_those_of_the_steps_that_ask(tmp_path: Path) -> None:
    settings = ("ask=after", "queries=2", "num_glimpses=3", "size=30", "radius=2")
    recipe = Recipe(
        "toy", EnvConfig("SortOfCLEVR-v0", arguments=settings), AgentConfig(width=8), episodes=4, batch=2, gaze="random"
    )
    train(recipe, tmp_path, device="cpu", quiet=True)
    report = evaluate_checkpoint(tmp_path, episodes=60, device="cpu")
    assert len(report["error_by_glimpse"]) == 1  # one question, after three glimpses
    assert report["error_by_glimpse"][-1] == report["error"]
    assert len(report["error_by_group"]) == 6
    halves = report["error_relational"], report["error_nonrelational"]
    assert min(halves) <= report["error"] <= max(halves)
