"""The contract of every registered task: declarations, whole episodes, scripted gazes, and metadata."""

from __future__ import annotations

import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from glimpse_env import GlimpseEnv, GlimpseVectorEnv
from glimpse_env.backend import get_backend
from glimpse_env.tasks import Task, make_task
from glimpse_env.tasks.base import raster
from glimpse_env.tasks.roles import ACTION_ROLES, ROLES, check_roles
from glimpse_env.wrappers import GridAction, VectorFlatAction

DECLARED = {
    *("horizon", "roles", "action_roles", "interactive", "max_answers", "answer_names", "words", "num_episodes"),
    *("group_key", "group_names", "episode_metrics", "gazes"),
}
"""Keys of the environments' metadata."""

EPISODES = np.arange(24)
SEEDS = np.full(24, 3)


def build(task: tuple[str, dict[str, Any]], place: str = "numpy", **kwargs: Any) -> Task:
    backend = get_backend("numpy") if place == "numpy" else get_backend("torch", place)
    return make_task(task[0].split("/")[1], backend, **task[1], **kwargs)


def numbers(task: Task, episodes: np.ndarray = EPISODES) -> tuple[Any, Any]:
    return task.backend.asarray(np.full_like(episodes, 3)), task.backend.asarray(episodes)


def vector(task: tuple[str, dict[str, Any]], place: str, **kwargs: Any) -> Any:
    backend: dict[str, Any] = {} if place == "numpy" else {"backend": "torch", "device": place}
    return gym.make_vec(task[0], num_envs=len(EPISODES), **task[1], **backend, **kwargs)


def plain(value: Any) -> np.ndarray:
    return value if isinstance(value, np.ndarray) else value.cpu().numpy()


# ---- declarations


def test_every_part_has_a_role_that_suits_it(every_task: tuple[str, dict[str, Any]]) -> None:
    task = build(every_task)
    assert task.roles.keys() == task.observation_space.spaces.keys()
    assert task.action_roles.keys() == task.action_space.spaces.keys()
    assert set(task.roles.values()) <= set(ROLES)
    for part, role in task.action_roles.items():
        assert isinstance(task.action_space[part], ACTION_ROLES[role])
    for part, role in task.roles.items():
        shape = task.observation_space[part].shape
        assert shape is not None
        if role == "glimpse":
            assert task.retina is not None
            assert (shape[0], *shape[2:]) == (task.retina.scales, *task.retina.patch)
        if role == "tokens" and task.words:
            assert task.observation_space[part] == spaces.MultiDiscrete([len(task.words)] * shape[0])
        if role == "bag":
            assert shape[-1] == len(task.words)
    assert ("saccade" in task.action_roles.values()) <= (task.gazes == ())
    if task.answer_names:
        assert task.action_space["answer"] == spaces.Discrete(len(task.answer_names))
    assert bool(task.group_key) == bool(task.group_names)
    assert (task.num_episodes is None) == (task.splits == ())


def test_no_part_or_info_hides_a_method_of_dict(task: tuple[str, dict[str, Any]]) -> None:
    """Tianshou keeps them as attributes of its own dict: one called "items" hides how to iterate it."""
    env = gym.make(task[0], **task[1])
    env.action_space.seed(0)
    observation, info = env.reset(seed=0)
    names, ended = {*observation, *info, *env.action_space}, False
    while not ended:
        *_, ended, _, info = env.step(env.action_space.sample())
        names |= set(info)
    assert not names & set(dir(dict))


def test_groups_are_those_of_the_info(task: tuple[str, dict[str, Any]]) -> None:
    made = build(task)
    if not made.group_key:
        with pytest.raises(ValueError, match="have no groups"):
            made.groups(SEEDS, EPISODES)
        return
    groups = made.groups(SEEDS, EPISODES)
    assert 0 <= groups.min() <= groups.max() < len(made.group_names)
    faces: tuple[Any, ...] = gym.make(task[0], **task[1]), vector(task, "cpu")
    for env in faces:
        np.testing.assert_array_equal(env.unwrapped.groups(3, EPISODES), groups)
    np.testing.assert_array_equal(groups, made.info(made.begin(SEEDS, EPISODES))[made.group_key])


def test_num_episodes_in_order_show_all_of_the_split_once(task: tuple[str, dict[str, Any]]) -> None:
    made = build(task)
    if made.num_episodes is None:
        return
    task = task[0], {key: value for key, value in task[1].items() if key not in made.variety}
    made = build(task, order="sequential")
    count = made.num_episodes
    assert count is not None
    shown = made.begin(np.zeros(2 * count, np.int64), np.arange(2 * count))["target"]
    np.testing.assert_array_equal(shown[:count], shown[count:])
    sizes = [build(task, split=split).num_episodes for split in made.splits]
    assert sizes[0] == build(task).num_episodes
    assert min(size or 0 for size in sizes) > 0
    for argument in made.variety:
        change: dict[str, Any] = {argument: True if argument == "rename" else 1}
        build(task, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"roles": {}}, r"roles are given to the parts \[\], and the space has \['bits'\]"),
        ({"action_roles": {"answer": "class"}}, "role 'class' of 'answer' needs Discrete, got MultiBinary"),
        ({"action_roles": {"answer": "bits", "stop": "stop"}}, r"given to the parts \['answer', 'stop'\]"),
    ],
    ids=str,
)
def test_a_part_without_a_role_is_refused(change: dict[str, Any], message: str) -> None:
    task = make_task("Copy-v0", get_backend("numpy"))
    roles = {"roles": task.roles, "action_roles": task.action_roles, **change}
    with pytest.raises(ValueError, match=message):
        check_roles(task.observation_space, task.action_space, **roles)


def test_the_metadata_says_what_the_task_declares(every_task: tuple[str, dict[str, Any]]) -> None:
    """On both faces and through wrappers, in plain values."""
    single = gym.make(every_task[0], **every_task[1])
    many = gym.make_vec(every_task[0], num_envs=2, **every_task[1])
    declared = {key: getattr(build(every_task), key) for key in DECLARED}
    for env in (single, many, GridAction(single), VectorFlatAction(many)):
        assert {key: env.metadata[key] for key in DECLARED} == declared
    assert json.loads(json.dumps(declared)).keys() == DECLARED
    assert not DECLARED & GlimpseEnv.metadata.keys()
    assert not DECLARED & GlimpseVectorEnv.metadata.keys()


# ---- every step


def test_every_step_says_what_is_right_and_whether_it_counts(task: tuple[str, dict[str, Any]], place: str) -> None:
    """Who answers right earns 1; at most `max_answers` steps count; nothing else is rewarded but what answers bring
    about by themselves."""
    env = vector(task, place, autoreset_mode="Disabled")
    made = env.unwrapped.task
    env.reset(seed=[3] * len(EPISODES), options={"episode": EPISODES})
    lengths = env.unwrapped.lengths(3, EPISODES)
    earned, answers = np.zeros(len(EPISODES)), np.zeros(len(EPISODES), np.int64)
    env.action_space.seed(0)
    for step in range(lengths.max()):
        action = env.action_space.sample()
        state = env.unwrapped._state
        due = made.due(state)[0] if hasattr(made, "due") else made.info(state)["target"]
        action["answer"] = made.backend.copy(due)
        if made.judges:  # where one looks may count, too
            action["location"] = made.gaze("oracle", *numbers(made))[:, min(step, made.horizon - 2)]
        if place != "numpy":
            action = {key: torch.as_tensor(value, device=place) for key, value in action.items()}
        _, rewards, ended, _, infos = env.step(action)
        assert {"target", "scored", "correct"} <= infos.keys()
        alive = lengths > step
        np.testing.assert_array_equal(plain(infos["_scored"]), alive)
        np.testing.assert_array_equal(plain(infos["target"])[alive], plain(due)[alive])
        scored = plain(infos["scored"])
        assert scored.dtype == bool
        assert not scored[~alive].any()
        if made.stops:  # where all is said, it ends
            lengths = np.where(plain(ended) & alive, step + 1, lengths)
        np.testing.assert_array_equal(plain(ended), lengths == step + 1)
        assert (plain(rewards) >= 0).all()
        assert (
            made.stops or made.judges or ((plain(rewards) > 0) == scored).all()
        )  # what is said before an end earns its share
        earned, answers, taken = earned + plain(rewards), answers + scored, step + 1
        if place == "numpy" and plain(ended).any():  # NumPy refuses to step rows that ended
            break
    finished = lengths <= taken
    np.testing.assert_allclose(earned[finished], 1, rtol=1e-6)
    assert (answers[finished] >= 1).all()
    assert answers.max() <= made.max_answers


# ---- whole episodes


def test_whole_episodes_are_those_that_steps_show(task: tuple[str, dict[str, Any]], place: str) -> None:
    """Bit for bit; beyond an episode's end is zero; a reward is what a right part earns times their number."""
    env = vector(task, place, autoreset_mode="Disabled")
    made = env.unwrapped.task
    lengths = env.unwrapped.lengths(3, EPISODES)
    steps = int(lengths.max())
    if env.metadata["interactive"]:
        with pytest.raises(ValueError, match=r"depend on the actions: step through its episodes"):
            env.unwrapped.whole(3, EPISODES, steps)
        return
    whole = env.unwrapped.whole(3, EPISODES, steps)
    np.testing.assert_array_equal(plain(whole.length), lengths)
    state = made.begin(*numbers(made))
    for key, value in made.info(state).items():
        np.testing.assert_array_equal(plain(whole.info[key]), plain(value))
    rng = np.random.default_rng(0)
    for step in range(steps):
        alive = lengths > step
        for key, value in made.observe(state).items():
            shown = plain(whole.observations[key][:, step])
            assert shown.dtype == plain(value).dtype
            np.testing.assert_array_equal(shown[alive], plain(value)[alive])
            assert not shown[~alive].any()
        target = plain(whole.target[:, step])
        guess = rng.random(target.shape) < 0.5
        answer = np.where(guess, np.maximum(target, 0), 0).astype(target.dtype)
        outcome = made.act(state, {"answer": made.backend.asarray(answer)})
        scored, worth = plain(whole.scored[:, step]), plain(whole.worth[:, step])
        np.testing.assert_array_equal(scored[alive], plain(outcome.info["scored"])[alive])
        np.testing.assert_array_equal(target[alive], plain(outcome.info["target"])[alive])
        assert target.dtype == plain(outcome.info["target"]).dtype
        assert not scored[~alive].any()
        assert not target[~alive].any()
        assert (worth > 0).tolist() == scored.tolist()
        right = (answer == target).reshape(len(EPISODES), -1).sum(1)
        assert worth.dtype == np.float32
        np.testing.assert_allclose(plain(outcome.reward)[alive], (worth * right)[alive], rtol=2e-7)
        state = outcome.state


def test_whole_episodes_are_the_same_however_many_and_whatever_they_are_padded_to(
    task: tuple[str, dict[str, Any]],
) -> None:
    made = build(task)
    if made.interactive:
        return
    all_of_them = made.whole(SEEDS, EPISODES, made.horizon)
    one = made.whole(SEEDS[:1], EPISODES[5:6], int(made.lengths(SEEDS[:1], EPISODES[5:6])[0]))
    for key, value in one.observations.items():
        np.testing.assert_array_equal(value[0], all_of_them.observations[key][5, : value.shape[1]])
    np.testing.assert_array_equal(one.worth[0], all_of_them.worth[5, : one.worth.shape[1]])
    assert not all_of_them.scored[5, one.scored.shape[1] :].any()
    for steps, message in ((0, "steps must be from 1"), (made.horizon + 1, "to the horizon"), (1, "less than the")):
        with pytest.raises(ValueError, match=message):
            made.whole(SEEDS, EPISODES, steps)


# ---- scripted gazes


def test_gazes_are_pure_functions_and_the_same_everywhere(task: tuple[str, dict[str, Any]], place: str) -> None:
    env, ours = vector(task, place), build(task)
    single = gym.make(task[0], **task[1]).unwrapped
    assert isinstance(single, GlimpseEnv)
    for name in ours.gazes:
        found = env.unwrapped.scripted_gaze(name, 3, EPISODES)
        places = ours.gaze(name, SEEDS, EPISODES)
        size = ours.action_space["location"].shape
        assert places.shape == (len(EPISODES), ours.horizon - 1, *(size or ()))
        assert places.dtype == np.float32
        assert (np.abs(places) <= 1).all()
        np.testing.assert_array_equal(plain(found), places.transpose(1, 0, 2))
        np.testing.assert_array_equal(single.scripted_gaze(name, 3, EPISODES[7:9]), places[7:9].transpose(1, 0, 2))
    for env_face in (env.unwrapped, single):
        with pytest.raises(ValueError, match="gaze 'sideways' is"):
            env_face.scripted_gaze("sideways", 3, EPISODES)


def test_an_environment_with_relative_saccades_has_no_scripted_gaze(task: tuple[str, dict[str, Any]]) -> None:
    if not build(task).gazes:
        return
    made = build(task, saccades="relative")
    assert made.gazes == ()
    with pytest.raises(ValueError, match=r'gaze \'random\' is unknown: this task has none; saccades="absolute" has'):
        made.gaze("random", SEEDS, EPISODES)


def test_a_random_gaze_is_uniform_and_another_one_in_every_episode(task: tuple[str, dict[str, Any]]) -> None:
    made = build(task)
    if "random" not in made.gazes:
        return
    places = made.gaze("random", np.full(2000, 1), np.arange(2000))
    assert len(np.unique(places[:, 0], axis=0)) > 1990
    shares = np.histogram(places, bins=4, range=(-1, 1))[0] / places.size
    np.testing.assert_allclose(shares, 0.25, atol=0.02)


def test_a_grid_is_looked_at_row_by_row_in_cells_that_are_about_square() -> None:
    np.testing.assert_allclose(raster(4, (50, 50)), [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_allclose(raster(3, (20, 60)), [[-2 / 3, 0], [0, 0], [2 / 3, 0]], atol=1e-7)
    assert raster(7, (50, 50)).tolist() == raster(9, (50, 50))[:7].tolist()
    assert raster(0, (50, 50)).shape == (0, 2)
    np.testing.assert_allclose(raster(4, (1000, 10))[:, 1], [-0.75, -0.25, 0.25, 0.75])  # from end to end
    assert raster(7, (50, 10))[:, 1].max() == 0.75
    env = gym.make("glimpse_env:Glimpse/Catch-v0", field=20).unwrapped
    assert isinstance(env, GlimpseEnv)
    for name, places in (("grid", raster(18, (20, 20))), ("centre", np.zeros((18, 2)))):
        np.testing.assert_array_equal(env.scripted_gaze(name, 3, np.array([5, 6])), np.stack([places] * 2, 1))


# ---- path metrics


def test_metrics_are_of_paths_where_there_is_a_place(task: tuple[str, dict[str, Any]], place: str) -> None:
    made = build(task, place)
    if "random" not in made.gazes:
        return
    path = plain(made.gaze("random", *numbers(made)))
    metrics = made.path_metrics(path, SEEDS, EPISODES)
    assert all(tag.startswith("attention/") and type(value) is float for tag, value in metrics.items())
    assert {"attention/saccade_length", "attention/entropy", "attention/coverage"} <= metrics.keys()


def test_what_a_task_has_not_is_none() -> None:
    task = make_task("Copy-v0", get_backend("numpy"))
    assert task.canvas(0, 0) is task.target_boxes(SEEDS, EPISODES) is task.class_shapes() is None
    assert task.story(SEEDS, EPISODES) is task.canvas_size is task.image_size is task.retina is None
    with pytest.raises(TypeError, match="Copy has no canvas: it shows no image"):
        vector(("glimpse_env:Glimpse/Copy-v0", {}), "numpy").unwrapped.canvases()
