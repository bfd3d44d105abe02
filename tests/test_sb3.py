"""Stable-Baselines3 over the native vector environment: its contract, what it learns, what a training leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FrameStackObservation

pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is not installed: pip install -e '.[sb3]'")
pytest.importorskip("sb3_contrib", reason="sb3-contrib is not installed: pip install -e '.[sb3]'")

from sb3_contrib import RecurrentPPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.preprocessing import preprocess_obs
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents import AgentConfig
from agents.sb3 import GlimpseFeatures, role_of
from agents.training.recipe import EnvConfig, Recipe
from glimpse_env.sb3 import GymVecEnv
from glimpse_env.wrappers import FlatAction, GridAction, VectorFlatAction, VectorGridAction, VectorOneHotObservation
from runs import train_sb3 as command_line
from runs.sb3.environments import make_env, make_training_env
from runs.sb3.play import answer_probabilities, evaluate_model, play
from runs.sb3.training import Validation, make_model, train
from runs.tables.gathering import merged
from runs.tables.sb3 import OURS, key_of, row_of, sb3_table
from runs.traces.trace import traces_of
from runs.train_sb3 import Options
from runs.training import train as train_agent

TOY = "glimpse_env:Glimpse/Classify-v0"
POLICY = {"features_extractor_class": GlimpseFeatures}
SAME_STEP = {"autoreset_mode": "SameStep"}


@pytest.fixture
def toy(images: str) -> dict[str, Any]:
    """Find the figure on a 16×16 canvas with two glimpses of 6×6."""
    return {"images": images, "size": 16, "patch": 6, "scales": 2, "num_glimpses": 2}


@pytest.fixture
def env(toy: dict[str, Any]) -> GymVecEnv:
    return GymVecEnv(VectorGridAction(gym.make_vec(TOY, 4, render_mode="rgb_array", **SAME_STEP, **toy), 5))


def options(algorithm: Any, toy: dict[str, Any], **changed: Any) -> Options:
    given = {"steps": 12_000, "envs": 64, "grid": (5,), "quiet": True, **changed}
    return Options(algorithm, "Glimpse/Classify-v0", task_kwargs=tuple(f"{k}={v}" for k, v in toy.items()), **given)


def same(one: Any, two: Any) -> None:
    """Two observations or infos are alike, value by value and type by type."""
    assert set(one) == set(two)
    for key, value in one.items():
        if isinstance(value, dict):
            same(value, two[key])
            continue
        assert type(value) is type(two[key])
        np.testing.assert_array_equal(value, two[key])


@pytest.mark.parametrize("kind", ["grid", "box"])
def test_it_is_dummy_vec_env_over_single_environments(task: tuple[str, dict[str, Any]], kind: str) -> None:
    name, kwargs = task
    native = gym.make_vec(name, 3, autoreset_mode="SameStep", **kwargs)
    ours = GymVecEnv(VectorGridAction(native) if kind == "grid" else VectorFlatAction(native))
    single = GridAction if kind == "grid" else FlatAction
    theirs = DummyVecEnv([lambda: single(gym.make(name, **kwargs))] * 3)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    ours.action_space.seed(0)
    assert ours.seed(7) == theirs.seed(7) == [7, 8, 9]
    same(ours.reset(), theirs.reset())
    ended = 0
    for _ in range(30):
        actions = np.stack([ours.action_space.sample() for _ in range(3)])
        one, two = ours.step(actions), theirs.step(actions)
        same(one[0], two[0])
        for part in (1, 2):
            np.testing.assert_array_equal(one[part], two[part])
            assert one[part].dtype == two[part].dtype
        for row in range(3):
            same(one[3][row], two[3][row])
            same(ours.reset_infos[row], theirs.reset_infos[row])
        ended += int(one[2].sum())
    assert ended


def test_results_of_a_step_do_not_change_with_the_next(env: GymVecEnv) -> None:
    env.seed(0)
    env.reset()
    actions = np.zeros((4, 3), np.int64)
    env.step(actions)
    observation, _, dones, infos = env.step(actions)
    assert dones.all()
    kept = [observation["glimpse"].copy(), infos[0]["terminal_observation"]["glimpse"].copy()]
    env.step(actions)
    np.testing.assert_array_equal(observation["glimpse"], kept[0])
    np.testing.assert_array_equal(infos[0]["terminal_observation"]["glimpse"], kept[1])
    assert isinstance(infos[0]["is_success"], bool)
    assert infos[0]["TimeLimit.truncated"] is False


def test_seeds_and_options_count_once(env: GymVecEnv) -> None:
    env.seed(3)
    first = env.reset()
    second = env.reset()
    assert not np.array_equal(first["glimpse"], second["glimpse"])
    env.seed(3)
    env.set_options([{"episode": number} for number in (1, 0, 1, 0)])
    chosen = env.reset()
    np.testing.assert_array_equal(chosen["glimpse"][::2], second["glimpse"][::2])
    np.testing.assert_array_equal(chosen["glimpse"][1::2], first["glimpse"][1::2])
    assert len(env.seed()) == 4
    env.reset()
    env.set_options([{"episode": 1}, {}, {}, {}])
    with pytest.raises(ValueError, match="the rows share one environment: give all of them the same options"):
        env.reset()


def test_attributes_and_methods_are_those_of_the_one_environment(env: GymVecEnv) -> None:
    assert env.get_attr("metadata")[0]["horizon"] == 2
    assert env.get_attr("map", [0, 2])[0].motion == 2  # the wrapper's
    assert len(env.get_attr("task", 1)) == 1  # the environment's
    assert env.has_attr("task")
    assert not env.has_attr("nothing")
    env.set_attr("nothing", 5)
    assert env.get_attr("nothing") == [5] * 4
    with pytest.raises(ValueError, match="the rows share one environment: set 'nothing' for all"):
        env.set_attr("nothing", 6, [0])
    assert env.env_is_wrapped(VectorGridAction) == [True] * 4
    assert env.env_is_wrapped(gym.wrappers.TimeLimit, [0]) == [False]
    env.reset()
    frames = env.env_method("canvases", indices=[1, 3])
    assert [frame.shape for frame in frames] == [(16, 16, 1)] * 2
    frames = env.get_images()
    assert len(frames) == 4
    picture = env.render("rgb_array")
    assert picture is not None
    assert picture.shape == (2 * frames[0].shape[0], 2 * frames[0].shape[1], 3)
    env.close()


def test_truncation_is_distinguished_from_an_end() -> None:
    lengths = iter([3, 5])
    makers = [lambda: gym.make("CartPole-v1", max_episode_steps=next(lengths))] * 2
    env = GymVecEnv(SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP))
    env.seed(0)
    env.reset()
    steps = [env.step(np.array([0, 1]))[2:] for _ in range(5)]
    assert [dones.tolist() for dones, _ in steps][2::2] == [[True, False], [False, True]]
    assert [info["TimeLimit.truncated"] for info in steps[2][1]] == [True, False]
    assert steps[2][1][0]["terminal_observation"].shape == (4,)
    assert "terminal_observation" not in steps[2][1][1]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda toy: gym.make(TOY, **toy), TypeError, "env must be a Gymnasium vector environment"),
        (lambda toy: VectorGridAction(gym.make_vec(TOY, 2, **toy)), ValueError, 'autoreset_mode="SameStep"'),
        (lambda toy: gym.make_vec(TOY, 2, **SAME_STEP, **toy), ValueError, "takes no Dict actions: wrap"),
        (
            lambda toy: VectorGridAction(gym.make_vec(TOY, 2, **SAME_STEP, backend="torch", **toy)),
            TypeError,
            'takes NumPy arrays: make env with backend="numpy"',
        ),
    ],
)
def test_environments_of_another_kind_are_refused(toy: dict[str, Any], make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        GymVecEnv(make(toy)).reset()


def test_every_observation_becomes_features(task: tuple[str, dict[str, Any]]) -> None:
    env = gym.make(task[0], **task[1])
    space: Any = env.observation_space
    assert {name: role_of(name, part) for name, part in space.items()} == env.metadata["roles"]
    space.seed(0)
    rows = [space.sample() for _ in range(3)]
    seen: Any = preprocess_obs({key: torch.as_tensor(np.stack([row[key] for row in rows])) for key in space}, space)
    features = GlimpseFeatures(space, width=16)
    result = features(seen)
    assert result.shape == (3, features.features_dim)
    assert not torch.equal(result[0], result[1])
    extras = torch.cat([seen[key] for key in ("location", "time") if key in seen] or [torch.zeros(3, 0)], dim=-1)
    torch.testing.assert_close(result[:, result.shape[1] - extras.shape[1] :], extras, rtol=0, atol=0)
    trained = list(features.parameters())  # rows of bits have none
    if trained:
        assert all((gradient != 0).any() for gradient in torch.autograd.grad(result.sum(), trained))


def test_any_box_is_encoded_as_values() -> None:
    parts = {"speed": gym.spaces.Box(-1, 1, (2, 3)), "glimpse": gym.spaces.Box(0, 1, (5,))}
    features = GlimpseFeatures(gym.spaces.Dict(parts), width=16)
    assert features({"speed": torch.rand(4, 2, 3), "glimpse": torch.rand(4, 5)}).shape == (4, 16)


def encoded(env: Any, observation: dict[str, np.ndarray], **kwargs: Any) -> tuple[torch.Tensor, GlimpseFeatures]:
    """The features of an observation (N, …), with weights of a seed."""
    space = env.observation_space
    seen: Any = preprocess_obs({key: torch.as_tensor(value) for key, value in observation.items()}, space)
    torch.manual_seed(0)
    features = GlimpseFeatures(space, width=16, **kwargs)
    with torch.no_grad():
        return features(seen), features


@pytest.mark.parametrize("stacked_by", ["VecFrameStack", "FrameStackObservation"])
def test_each_of_stacked_frames_is_encoded_alike(task: tuple[str, dict[str, Any]], stacked_by: str) -> None:
    name, kwargs = task
    words = any(
        isinstance(part, gym.spaces.MultiDiscrete) for part in gym.make(name, **kwargs).observation_space.values()
    )
    one = DummyVecEnv([lambda: GridAction(gym.make(name, **kwargs))] * 2)
    if stacked_by == "VecFrameStack":
        native = VectorOneHotObservation(VectorGridAction(gym.make_vec(name, 2, **SAME_STEP, **kwargs)))
        many: Any = VecFrameStack(GymVecEnv(native), 3)
        if words:
            with pytest.raises(TypeError, match="only supports Box and Dict"):
                VecFrameStack(one, 3)
    else:
        many = DummyVecEnv([lambda: FrameStackObservation(GridAction(gym.make(name, **kwargs)), 3)] * 2)
    one.seed(0)
    many.seed(0)
    one.action_space.seed(0)
    frames, stack = [one.reset()], many.reset()
    for _ in range(2):
        actions = np.stack([one.action_space.sample() for _ in range(2)])
        if gym.make(name, **kwargs).unwrapped.task.stops:  # type: ignore[attr-defined]
            actions[:, -1] = 0  # a digit, and not the end
        frames.append(one.step(actions)[0])
        stack = many.step(actions)[0]
    together, features = encoded(many, stack, frames=3)
    assert together.shape == (2, features.features_dim)
    apart = [encoded(one, frame)[0] for frame in frames]
    torch.testing.assert_close(together, torch.cat(apart, dim=-1))
    assert not torch.equal(apart[0], apart[1])


@pytest.mark.parametrize(
    ("frames", "message"), [(1, "say how many are stacked"), (3, "not 3 frames"), (0, "at least 1")]
)
def test_another_number_of_frames_is_refused(babi_folder: str, frames: int, message: str) -> None:
    env = FrameStackObservation(gym.make("glimpse_env:Glimpse/BabiGaze-v0", data=babi_folder), 4)
    with pytest.raises(ValueError, match=message):
        GlimpseFeatures(env.observation_space, frames=frames)


def test_a_policy_learns_from_stacked_lines(babi_folder: str) -> None:
    env = gym.make_vec("glimpse_env:Glimpse/BabiGaze-v0", 4, data=babi_folder, **SAME_STEP)
    stacked = VecFrameStack(GymVecEnv(VectorOneHotObservation(VectorGridAction(env))), 2)
    policy = {**POLICY, "features_extractor_kwargs": {"frames": 2, "width": 16}}
    model = PPO("MultiInputPolicy", stacked, n_steps=16, batch_size=64, n_epochs=1, policy_kwargs=policy)
    assert model.learn(64).num_timesteps == 64


def test_categories_of_any_environment_are_encoded() -> None:
    space = gym.spaces.Dict({"kind": gym.spaces.Discrete(3), "kinds": gym.spaces.MultiDiscrete([2, 4])})
    seen: Any = preprocess_obs({"kind": torch.tensor([0, 2]), "kinds": torch.tensor([[1, 3], [0, 0]])}, space)
    assert GlimpseFeatures(space, width=16)(seen).shape == (2, 16)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (gym.spaces.Box(0, 1, (3,)), "must be a Dict of named parts"),
        (gym.spaces.Dict({"time": gym.spaces.Box(0, 1, (1,))}), "nothing is left to be encoded"),
        (gym.spaces.Dict({"tokens": gym.spaces.Box(0, 2**25, (3,), np.int64)}), "can distinguish 16,777,216 words"),
    ],
)
def test_observations_that_cannot_be_encoded_are_refused(space: gym.Space, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GlimpseFeatures(space)


@pytest.mark.parametrize(("algorithm", "action"), [(PPO, "grid"), (A2C, "grid"), (RecurrentPPO, "grid"), (PPO, "box")])
def test_it_learns(algorithm: Any, action: str, toy: dict[str, Any]) -> None:
    settings = ("learning_rate=3e-3", *(("n_steps=2",) if algorithm is A2C else ("batch_size=128", "n_steps=8")))
    given = options(algorithm.__name__, toy, action=action, options=settings)
    model = make_model(given, make_training_env(given), torch.device("cpu"))
    model.learn(6_000)
    assert evaluate_model(model, make_env(given, "train", 100, order="sequential"), 100, 0).error < 45  # by chance 67


def test_a_training_leaves_curves_and_traces_and_a_model(toy: dict[str, Any], tmp_path: Path) -> None:
    given = options("A2C", toy, steps=2_048)
    metrics = train(given, tmp_path)
    assert metrics == json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["learner"], metrics["steps"], metrics["episodes"]) == ("A2C", 2_048, 9)
    assert {path.name.split(".")[0] for path in tmp_path.glob("[!.]*")} == {"events", "metrics", "model"}
    events = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0, "images": 0}).Reload()
    expected = {"rollout/ep_rew_mean", "rollout/success_rate", "train/value_loss", "time/fps", "eval/success_rate"}
    assert expected | {"eval/mean_reward", "attention/saccade_length"} <= set(events.Tags()["scalars"])
    pictures = events.Images("trace/0/gaze")
    assert pictures[-1].step == 2_048
    assert len(pictures) == len(events.Scalars("eval/success_rate")) >= 4
    again = A2C.load(tmp_path / "model.zip", device="cpu")
    four, three = (evaluate_model(again, make_env(given, "test", rows), 9, 0) for rows in (4, 3))
    assert four == three


def test_stories_are_written_as_text(babi_folder: str, tmp_path: Path) -> None:
    kwargs = (f"data={babi_folder}",)
    metrics = train(Options("RecurrentPPO", "Glimpse/BabiGaze-v0", 512, 8, quiet=True, task_kwargs=kwargs), tmp_path)
    assert 0 <= metrics["support_hit_rate"] <= 100
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    text = events.Tensors("trace/0/text/text_summary")[-1].tensor_proto.string_val[0].decode()
    assert text.startswith("### where is")
    assert "went to the" in text


def test_episodes_of_different_lengths_are_each_counted_once(babi_folder: str) -> None:
    given = Options("PPO", "Glimpse/Babi-v0", envs=4, task_kwargs=(f"data={babi_folder}",))
    env = make_env(given, "test", 4)
    model = PPO("MultiInputPolicy", make_training_env(given), policy_kwargs=POLICY)
    played = play(model, env, np.arange(4), 0)
    assert played.length.tolist() == env.unwrapped.lengths(0, np.arange(4)).tolist()
    assert len(set(played.length.tolist())) > 1
    assert played.alive.sum(0).tolist() == played.length.tolist()
    assert played.scored.sum(0).tolist() == [1] * 4
    one = [play(model, make_env(given, "test", 1), np.array([number]), 0).reward.sum() for number in range(4)]
    assert played.reward.sum(0).tolist() == one
    with pytest.raises(ValueError, match="hides how its episodes end"):
        play(model, make_env(given, "test", 4, **SAME_STEP), np.arange(4), 0)


@pytest.mark.parametrize("action", ["grid", "box"])
@pytest.mark.parametrize("algorithm", ["PPO", "RecurrentPPO"])
def test_a_trace_is_what_was_seen_and_believed(algorithm: str, action: str, toy: dict[str, Any]) -> None:
    given = options(algorithm, toy, action=action, envs=8)
    env = make_env(given, "validation", 3)
    model = make_model(given, make_training_env(given), torch.device("cpu"))
    played = play(model, env, np.arange(3), 5, beliefs=True)
    traces = traces_of(played, env, 5)
    assert played.hits is not None
    assert [trace.correct for trace in traces] == played.hits[-1, :, 0].tolist()
    for row, trace in enumerate(traces):
        assert trace.canvas is not None
        assert trace.canvas.shape == (16, 16, 1)
        assert trace.canvas.any()
        np.testing.assert_allclose(trace.beliefs.sum(-1), 1, atol=1e-5)
        np.testing.assert_array_equal(trace.path, played.observations["location"][:, row])
        np.testing.assert_array_equal(trace.seen, played.observations["glimpse"][:, row])
        if action == "grid":
            assert trace.beliefs[-1].argmax() == trace.answer[-1]


def test_of_a_box_the_belief_is_how_often_a_score_is_the_highest(toy: dict[str, Any]) -> None:
    given = options("PPO", toy, action="box", envs=2)
    env = make_env(given, "train", 2)
    model = PPO("MultiInputPolicy", make_training_env(given), policy_kwargs=POLICY)
    with torch.no_grad():
        model.policy.action_net.weight.zero_()
        model.policy.action_net.bias.copy_(torch.tensor([0, 0, 0.0, 0.5, -9.0]))
        model.policy.log_std.fill_(np.log(0.25))
    observation, _ = env.reset(seed=0)
    belief = answer_probabilities(model, env, observation, None, np.ones(2))
    # P(N(0.5, 0.25²) > N(0, 0.25²)) = Phi(0.5 / (0.25 √2)) = 0.921
    np.testing.assert_allclose(belief, [[0.079, 0.921, 0]] * 2, atol=0.03)


def test_any_registered_environment_is_trained_on(tmp_path: Path) -> None:
    metrics = train(Options("PPO", "CartPole-v1", steps=256, envs=4, quiet=True), tmp_path)
    assert metrics["mean_reward"] > 0
    assert (tmp_path / "model.zip").is_file()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": "Glimpse/Nothing-v0"}, "Glimpse/Nothing-v0: .*doesn't exist"),
        ({"steps": 0}, "--steps must be at least 1, got 0"),
        ({"options": ("nothing=1",)}, "PPO takes no argument 'nothing'"),
        ({"task_kwargs": ("nothing",)}, "an option is name=value"),
    ],
)
def test_errors_name_their_cause(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"algorithm": "PPO", "id": "Glimpse/Copy-v0", "steps": 64, "envs": 2, **changed}
    with pytest.raises(ValueError, match=message):
        train(Options(**given), tmp_path)


def test_the_command_says_what_to_install(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['stable_baselines3'] = None; sys.argv[1:] = ['PPO', 'Glimpse/Copy-v0']; "
    command = [sys.executable, "-c", hide + "from runs.train_sb3 import main; main()"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.returncode == 1
    message = "error: agents.sb3 needs Stable-Baselines3: pip install -e '.[sb3]'"
    assert done.stderr.strip().splitlines()[-1] == message


def test_runs_are_gathered_in_a_table(tmp_path: Path) -> None:
    values = {"id": "Glimpse/B-v0", "learner": "PPO", "error": 12.345, "steps": 9_000, "seconds": 90.0, "machine": "m"}
    (tmp_path / "metrics.json").write_text(json.dumps({**values, "seed": 1}))
    row = row_of(tmp_path)
    assert row == values
    ours, other = {**values, "learner": OURS}, {**values, "id": "Glimpse/A-v0"}
    rows = merged([ours, {**values, "error": 50.0}], [row, other], key_of)
    assert rows == [other, row, ours]
    assert "| `Glimpse/B-v0` | PPO | 9,000 | **12.35** | 1.5 min | 100 | m |" in sb3_table(rows)
    assert sb3_table([]) == ""
    (tmp_path / "metrics.json").write_text(json.dumps({"id": "CartPole-v1", "mean_reward": 9.0}))
    with pytest.raises(ValueError, match="trained on CartPole-v1, whose errors are not counted"):
        row_of(tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no finished run"):
        row_of(tmp_path / "nothing")


def test_a_run_of_our_agent_has_a_row(toy: dict[str, Any], tmp_path: Path) -> None:
    env = EnvConfig("Classify-v0", **toy)
    recipe = Recipe("toy", env, AgentConfig(width=16, where_stream=8), episodes=128, batch=64)
    train_agent(recipe, tmp_path, device="cpu", quiet=True)
    row = row_of(tmp_path)
    assert (row["id"], row["learner"], row["steps"]) == ("Glimpse/Classify-v0", OURS, 256)
    assert 0 <= row["error"] <= 100
    assert row["seconds"] > 0


def test_an_interrupted_training_keeps_its_model(
    noise_digits: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGHUP, twice: the second one while the model is saved."""
    arguments = ["PPO", "Glimpse/MNIST-v0", "--envs", "2", "--steps", "100000", "--quiet", "--folder", "run"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train_sb3", *arguments])
    monkeypatch.setattr(Validation, "validate", lambda self: os.kill(os.getpid(), signal.SIGHUP))
    monkeypatch.setattr(Validation, "_on_rollout_start", Validation.validate)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 130
    assert "interrupted; the model as it was is run/model.zip" in capsys.readouterr().out
    assert (tmp_path / "run" / "model.zip").stat().st_size > 0
