"""What was recalled of a walk: the share of the read weight by picture, and its drawing."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents import AgentConfig
from agents.evaluation import play
from agents.loading import make_agent
from runs.traces.heat import heat
from runs.traces.layout import TRUTH
from runs.traces.pictures import encode, pictures_of
from runs.traces.recall import DRAWN, Recalled, Walk, by_canvas, recall_hit_rate, recalled_of
from runs.traces.recall_maps import recall_maps
from runs.traces.recall_panel import recall_panel, recalled_at
from runs.traces.trace import record_traces


def gallery(**changes: Any) -> Any:
    images = np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8)
    settings = {"images": images, "labels": np.arange(40) % 4, "dataset": None, "pieces": 0, "size": 16, "split": "all"}
    settings |= {"patch": 4, "scales": 2, "num_glimpses": 2, "pictures": 3, "questions": 2, "num_envs": 4}
    settings |= {"backend": "torch", "autoreset_mode": "Disabled", **changes}
    return gym.make_vec("glimpse_env:Glimpse/Gallery-v0", **settings)


def agent_for(env: Any, **options: Any) -> Any:
    torch.manual_seed(0)
    memory = {"memory": "episodic", "memory_options": ("slots=16", "heads=2", "hops=2")}
    return make_agent(env, AgentConfig(**{"width": 32, "core": "none", **memory, **options}))


def test_weights_of_steps_become_weights_of_what_was_shown() -> None:
    weights = np.array([[0.1, 0.2, 0.3, 0.4], [1, 0, 0, 0]])
    np.testing.assert_allclose(by_canvas(weights, np.array([0, 0, 2, 2]), 3), [[0.3, 0, 0.7], [1, 0, 0]])


def test_the_hit_rate_is_the_last_hops_weight_on_what_the_answer_rests_on() -> None:
    env = gallery()
    agent = agent_for(env)
    task, shown = env.unwrapped.task, env.unwrapped.task.schedule.shown
    total, count, by_kind = 0.0, 0, {}
    ((trajectory, _),) = play(agent, env, np.arange(4), seed=3, watch=True)
    support = task.supports(torch.full((4,), 3), torch.arange(4)).numpy()
    for row in range(4):
        for number, step in enumerate(np.flatnonzero(task.schedule.scored)):
            pictures = np.flatnonzero(support[row, number])
            if len(pictures):
                read = trajectory.watched.read[step, row, -1].numpy()  # step t lies in slot t
                share = sum(read[s] for s in range(step + 1) if shown[s] in pictures)
                total, count = total + share, count + 1
                by_kind.setdefault(int(trajectory.info["question"][row]), []).append(share)
    assert count > 4
    found = recall_hit_rate(agent, env, 4, 3)
    assert found is not None
    assert found.rate == pytest.approx(total / count, abs=1e-6)
    assert found.by_kind == pytest.approx({kind: np.mean(shares) for kind, shares in by_kind.items()}, abs=1e-6)


def test_there_is_none_without_slots_of_steps_or_a_walk() -> None:
    env = gallery()
    assert recall_hit_rate(agent_for(env, memory="none", memory_options=(), core="lstm"), env, 4, 0) is None
    twin = gallery(whole=True, questions=1)
    assert recall_hit_rate(agent_for(twin), twin, 4, 0) is None


def test_slots_that_were_overwritten_since_are_not_taken_for_other_steps() -> None:
    few = {"memory_options": ("slots=6", "heads=2", "hops=2")}
    env = gallery(kinds="what")  # eight steps; the first of two answers comes before the last step
    assert recall_hit_rate(agent_for(env, **few), env, 4, 0) is None
    (trace, *_) = record_traces(agent_for(env, **few), env, np.arange(4))
    assert len(recalled_at(trace, 0)) == 0
    assert len(recalled_at(trace, 1)) == 2  # after the last step nothing was written
    assert recall_panel(trace, "episode 0").size
    once = gallery(kinds="what", questions=1)
    assert recall_hit_rate(agent_for(once, **few), once, 4, 0) is not None


def test_pictures_are_as_bright_as_they_were_recalled_and_the_right_one_is_framed() -> None:
    env = gallery(kinds="what", questions=1)
    (trace,) = record_traces(agent_for(env), env, np.arange(1))
    assert trace.role == "walk"
    walk = trace.walk
    assert walk is not None
    assert walk.pictures == 3
    assert walk.questions[0].startswith("what was in the")
    assert trace.read is not None
    right = int(np.flatnonzero(walk.support[0])[0])  # type: ignore[index]
    read = np.zeros_like(trace.read)
    read[walk.asked[0], :, 2 * right : 2 * right + 2] = 0.5
    alone = trace._replace(read=read)
    np.testing.assert_allclose(recalled_at(alone, 0), np.eye(3)[[right, right]])
    panel = recall_panel(alone, "episode 0")
    assert (panel == TRUTH).all(-1).any()
    assert panel.astype(float).mean() != recall_panel(trace, "episode 0").astype(float).mean()
    assert pictures_of(trace).tag == "recall"
    assert encode([trace, alone], "a walk", "twice", ".png").startswith(b"\x89PNG")


def test_long_delays_are_not_drawn() -> None:
    env = gallery(delay=30, num_envs=1)
    (trace,) = record_traces(agent_for(env, memory_options=("slots=64", "heads=2")), env, np.arange(1))
    assert trace.walk is not None
    assert trace.walk.pictures == DRAWN
    assert recall_panel(trace, "").shape[1] <= 700


def test_what_is_recalled_for_each_kind_of_question_is_a_mean_over_its_answers() -> None:
    rng, env = np.random.default_rng(0), gallery(pictures=3, questions=2)
    canvases = int(env.unwrapped.task.schedule.shown[-1]) + 1
    weight, rests_on = rng.random((50, 2, canvases)), rng.random((50, 2, canvases)) < 0.3
    rests_on[..., 3:] = False
    kind = rng.integers(0, 5, 50)
    maps = recall_maps(env, Recalled(weight, rests_on, kind, np.ones(50, bool)))
    assert maps.by_kind.shape == (5, 3, canvases)
    for g in range(5):
        hits = []
        for k in range(3):
            rows = [
                weight[n, a]
                for n in range(50)
                for a in range(2)
                if kind[n] == g and rests_on[n, a].any() and np.flatnonzero(rests_on[n, a])[0] == k
            ]
            assert maps.answers_by_kind[g, k] == len(rows)
            np.testing.assert_allclose(maps.by_kind[g, k], np.mean(rows, axis=0) if rows else 0)
        for n, a in itertools.product(range(50), range(2)):
            if kind[n] == g and rests_on[n, a].any():
                hits.append(weight[n, a][rests_on[n, a]].sum())
        assert maps.hit_rate_by_kind[g] == pytest.approx(np.mean(hits))


def test_delays_of_several_lengths_are_followed_episode_by_episode() -> None:
    """The weight on what the answer rests on is that of an oracle that reads the pictures' own steps."""
    env = gallery(kinds="what", questions=1, delay=(0, 2, 5))
    task, numbers = env.unwrapped.task, np.arange(4)
    agent = agent_for(env)
    (trajectory, _), *_ = play(agent, env, numbers, seed=0, watch=True)
    found = recalled_of(env, 0, trajectory)
    for row, episode in enumerate(numbers):
        schedule = task.schedule_of(0, int(episode))
        steps = len(schedule.shown)
        assert steps == trajectory.length[row]
        read = trajectory.watched.read[steps - 1, row, -1].cpu().numpy()
        held = trajectory.watched.step[row].cpu().numpy()
        for canvas in range(found.weight.shape[2]):
            here = [slot for slot, step in enumerate(held) if 0 <= step < steps and schedule.shown[step] == canvas]
            assert found.weight[row, 0, canvas] == pytest.approx(read[here].sum())
        assert found.weight[row, 0].sum() == pytest.approx(1, abs=1e-5)


def test_a_picture_of_what_is_recalled() -> None:
    env = gallery(questions=1)
    picture, numbers = heat(agent_for(env), env, 30, "title", "source", gaze="oracle")
    assert (picture.ndim, picture.dtype) == (3, np.uint8)
    assert picture.shape[1] > 400
    assert numbers["kinds"] == env.unwrapped.task.group_names
    assert len(numbers["by_kind"]) == 5


@pytest.mark.parametrize(
    ("asked", "pictures"), [([1, 2, 3], 1), ([3, 4], 3), ([0, 1, 2], 2), ([], 5)], ids=["one", "three", "each", "none"]
)
def test_the_pictures_that_are_drawn_come_before_the_questions(asked: list[int], pictures: int) -> None:
    canvases = [np.zeros((4, 4, 1), np.uint8)] * 5
    short = Walk(canvases, np.array([0, 0, 1, 4]), np.array([3], np.int64), (), None)
    assert short.pictures == 2  # a delay of none leaves out canvases 2 and 3
    assert Walk(canvases, np.arange(5), np.array(asked, np.int64), (), None).pictures == pictures
