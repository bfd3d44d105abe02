"""Our agent in other people's environments: what is seen and done, what is learned from what, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents import AgentConfig, AttentionAgent, BatchedEnv, ExternalEnv, Names, collect, evaluate, make_agent
from agents.training.checkpoint import load_checked
from agents.training.exploration import drawn_parts, exploration_noise
from agents.training.losses import trajectory_loss
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer, train_update
from agents.trajectory import Trajectory
from runs import train
from runs.environments import make_env
from runs.evaluation import evaluate_checkpoint
from runs.recipes import JOIN
from runs.training import train as train_in

CPU = torch.device("cpu")
DOOR, LIGHT = "ToyDoor-v0", "ToyLight-v0"


class Door(gym.Env):
    """Behind which of three doors? A sign says it at the start; the answer earns a point, and nothing tells a target.

    Episodes end as soon as the agent has moved to the right (at most four steps), and only a point at the end counts.
    """

    observation_space = spaces.Dict(
        dull=spaces.Box(0, 255, (2, 2), np.uint8), place=spaces.Box(-2.0, 2.0, (1,)), sign=spaces.Discrete(4, start=5)
    )
    action_space = spaces.Dict({"say": spaces.Discrete(3, start=1), "walk": spaces.Box(-4.0, 2.0, (1,))})

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.door, self.place, self.new = int(self.np_random.integers(3)), np.zeros(1, np.float32), True
        self.pays = self.door
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.new = False
        self.place = np.clip(self.place + action["walk"], -2, 2).astype(np.float32)
        done = bool(self.place[0] > 0.5)
        return self._seen(), float(done and action["say"] == self.pays + 1), done, False, self._info()

    def _seen(self) -> dict[str, Any]:
        return {"sign": 5 + (self.door if self.new else 3), "place": self.place, "dull": np.full((2, 2), 255, np.uint8)}

    def _info(self) -> dict[str, Any]:
        return {}


class Contrary(Door):
    """The right door is known, and the one after it pays."""

    def _info(self) -> dict[str, Any]:
        return {"door": self.door + 1}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.pays = (self.door + 1) % 3
        return super().step(action)


class Light(gym.Env):
    """A number that is only seen on the right of the room; logits are wanted, and `info` holds the class."""

    observation_space = spaces.Dict({"seen": spaces.Box(0.0, 1.0, (2,)), "place": spaces.Box(-1.0, 1.0, ())})
    action_space = spaces.Dict({"step": spaces.Box(-1.0, 1.0, (2,)), "logits": spaces.Box(-np.inf, np.inf, (2,))})

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.number, self.place = int(self.np_random.integers(2)), 0.0
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.place = float(np.clip(self.place + action["step"][0], -1, 1))
        logits = action["logits"].astype(np.float64)
        loss = float(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[self.number])
        return self._seen(), -loss, False, False, {"truth": {"class": self.number, "size": 0.5}}

    def _seen(self) -> dict[str, Any]:
        seen = np.zeros(2, np.float32)
        if self.place > 0.5:
            seen[self.number] = 1.0
        return {"seen": seen, "place": np.array(self.place, np.float32)}


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    gym.register(DOOR, Door, max_episode_steps=4)
    gym.register(LIGHT, Light, max_episode_steps=5)
    yield
    for name in (DOOR, LIGHT):
        del gym.registry[name]


def joined(id: str, names: Names, batch: int = 4, horizon: int = 0) -> ExternalEnv:
    return ExternalEnv(gym.make_vec(id, num_envs=batch), names, horizon)


CLASS = Names(move="step", target="truth.class")


def recipe(id: str, **changes: Any) -> Recipe:
    agent = AgentConfig(width=32, where_stream=32, ignore=("location",))
    names = {"move": "step", "target": "truth.class"} if id == LIGHT else {}
    return replace(JOIN, env=EnvConfig(id, **names), agent=agent, batch=32, lr=1e-2, **changes)


def agent_for(env: ExternalEnv, **config: Any) -> AttentionAgent:
    torch.manual_seed(0)
    agent = make_agent(env, AgentConfig(width=16, ignore=("location",), **config))
    assert isinstance(agent, AttentionAgent)
    return agent


def play(agent: AttentionAgent, env: ExternalEnv, first: int = 0, std: float = 0.0, **given: Any) -> Trajectory:
    """Episodes of seed 0 from this number on, drawn where there is a deviation."""
    batched = BatchedEnv(env, CPU)
    noise = exploration_noise(agent, batched, drawn_parts(agent, batched, "target"), 0, 0) if std else None
    numbers = np.arange(first, first + env.num_envs)
    return collect(agent, batched, numbers, noise=noise, std=std, given=given)


def test_all_parts_are_one_row_and_a_motion_fills_its_box() -> None:
    env = joined(DOOR, Names())
    assert (env.move, env.predict, env.horizon) == ("walk", "say", 4)
    observation, _ = env.reset(seed=0)
    assert observation["values"].shape == (4, 9)
    np.testing.assert_array_equal(observation["values"][:, :4], 1.0)  # dull: 255 of [0, 255]
    np.testing.assert_array_equal(observation["values"][:, 4], 0.0)  # place
    np.testing.assert_array_equal(observation["values"][:, 5:].sum(1), 1.0)  # sign, one-hot
    assert not observation["values"][:, 8].any()
    motion = np.array([[-1.0], [0.0], [1.0], [9.0]])
    np.testing.assert_array_equal(env.motion.outwards(motion)[:, 0], [-4.0, -1.0, 2.0, 2.0])
    observation, *_ = env.step({"location": motion, "answer": np.array([0, 1, 2, 0])})
    np.testing.assert_allclose(observation["values"][:, 4], [-1.0, -0.5, 1.0, 1.0])
    np.testing.assert_array_equal(observation["location"], motion)
    assert env.single_observation_space["values"].contains(observation["values"][0])
    assert joined(DOOR, Names(observe=("place", "sign"))).reset(seed=0)[0]["values"].shape == (4, 5)


def test_nothing_counts_after_an_early_end() -> None:
    env = joined(DOOR, Names(), batch=3)
    agent = agent_for(env)
    places = torch.full((4, 3, 1), 1 / 3)  # 0 in [-4, 2]: stay
    places[1, 0] = 1.0  # the first leaves in its second step
    trajectory = play(agent, env, std=0.1, location=places)
    assert set(trajectory.log_prob) == {"answer"}  # nothing tells a target: answers learn from reward
    assert trajectory.alive.sum(0).tolist() == trajectory.length.tolist() == [2, 4, 4]
    assert trajectory.last().tolist() == [1, 3, 3]
    assert not trajectory.reward[2:, 0].any()
    loss, _ = trajectory_loss(JOIN, agent, trajectory)
    log_prob, value = trajectory.log_prob["answer"].clone(), trajectory.value.clone()
    log_prob[2:, 0] += 7.0
    value[2:, 0] -= 7.0
    changed = trajectory._replace(log_prob={"answer": log_prob}, value=value)
    torch.testing.assert_close(trajectory_loss(JOIN, agent, changed)[0], loss)


def test_an_episode_is_truncated_at_the_horizon() -> None:
    env = joined(DOOR, Names(), batch=2, horizon=2)
    trajectory = play(agent_for(env), env, location=torch.full((2, 2, 1), 1 / 3))
    assert trajectory.length.tolist() == [2, 2]
    assert trajectory.scored.tolist() == [[False, False], [True, True]]


def test_the_generator_is_seeded_where_numbers_do_not_go_on() -> None:
    def shown(env: ExternalEnv, *firsts: int) -> list[np.ndarray]:
        seeds = {"seed": [5] * env.num_envs}
        each = [env.reset(**seeds, options={"episode": np.arange(n, n + env.num_envs)})[0] for n in firsts]
        return [observation["values"] for observation in each]

    env = joined(DOOR, Names(), batch=16)
    first, second, again, jumped = shown(env, 0, 16, 0, 32)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(jumped, shown(joined(DOOR, Names(), batch=16), 32)[0])
    assert len({values.tobytes() for values in (first, second, jumped)}) == 3
    assert not np.array_equal(second, shown(env, 16)[0])  # it went on, and now it begins
    other = joined(DOOR, Names(), batch=16)
    shown(other, 0)
    numbers = {"episode": np.arange(16, 32)}
    assert not np.array_equal(second, other.reset(seed=[6] * 16, options=numbers)[0]["values"])  # another seed
    np.testing.assert_array_equal(first, joined(DOOR, Names(), batch=16).reset(seed=5)[0]["values"])
    training = make_env(recipe(DOOR), "train", 16, CPU)
    np.testing.assert_array_equal(shown(training, 0, 16)[1], shown(training, 16)[0])  # with every batch


def test_an_error_counts_the_last_answer_of_an_episode_that_has_ended() -> None:
    env = joined(LIGHT, CLASS, batch=8)
    result = evaluate(agent_for(env), env, 11, seed=3)
    assert result.episodes == 11
    assert result.mean_length == 5
    assert result.error == pytest.approx(result.error_by_step[-1], abs=1e-3)
    assert len(result.error_by_step) == 5
    assert evaluate(agent_for(env), env, 11, seed=3) == result  # the seed makes the episodes


@pytest.mark.parametrize("core", ["rnn", "none"])
def test_memory_alone_gives_the_same_episodes_at_once(core: str) -> None:
    env = joined(LIGHT, CLASS, batch=2)
    memory = {"memory": "episodic", "memory_options": ("slots=5", "width=8")} if core == "none" else {}
    agent = agent_for(env, core=core, **memory).eval()
    together = play(agent, env, std=0.5)
    with torch.no_grad():
        stepwise = play(agent, env, std=0.5)
    torch.testing.assert_close(together.params, stepwise.params)
    torch.testing.assert_close(together.log_prob, stepwise.log_prob)


def learned(toy: Recipe) -> Trainer:
    trainer = Trainer.begin(toy, make_env(toy, "train", toy.batch, CPU), CPU)
    for _ in range(toy.updates()):
        train_update(trainer)
    return trainer


@pytest.mark.parametrize("estimator", ["reinforce", "gain"])
def test_it_learns_to_look_where_the_light_is(estimator: Any) -> None:
    trainer = learned(recipe(LIGHT, estimator=estimator, episodes=32 * 60))
    result = evaluate(trainer.agent, trainer.env.env, 200, seed=9)
    assert result.error is not None
    assert result.error < 5
    assert result.error_by_step[0] > 30


def test_answers_and_motions_learn_from_reward_alone() -> None:
    trainer = learned(recipe(DOOR, episodes=32 * 120))
    result = evaluate(trainer.agent, trainer.env.env, 200, seed=9)
    assert result.error is None
    assert result.error_by_step == []
    assert result.mean_return > 0.9


def test_it_is_the_environments_reward_that_is_learned_whatever_is_right() -> None:
    toy = replace(recipe(DOOR, episodes=32 * 120), answer_signal="reward")
    env = ExternalEnv(gym.vector.SyncVectorEnv([Contrary] * 32), Names(target="door"), 4)
    trainer = Trainer.begin(toy, env, CPU)
    for _ in range(toy.updates()):
        train_update(trainer)
    result = evaluate(trainer.agent, env, 200, seed=9)
    assert result.mean_return > 0.9
    assert result.error is not None
    assert result.error > 90


class Odd(gym.Env):
    """An environment of any spaces, for what is refused."""

    def __init__(self, observation: Any = None, action: Any = None, truth: Any = None, reward: float = 0.0) -> None:
        self.observation_space = spaces.Dict(seen=spaces.Box(0, 1, (1,))) if observation is None else observation
        self.action_space = action or spaces.Dict(move=spaces.Box(-1, 1, (1,)), say=spaces.Discrete(2))
        self.truth, self.reward = truth, reward

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return {"seen": np.zeros(1, np.float32)}, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        told = {} if self.truth is None else {"truth": self.truth}
        return {"seen": np.zeros(1, np.float32)}, self.reward, False, False, {"other": 1} | told


def odd(names: Names | None = None, horizon: int = 3, **parts: Any) -> ExternalEnv:
    return ExternalEnv(gym.vector.SyncVectorEnv([lambda: Odd(**parts)] * 2), names or Names(), horizon)


BOX, SAY = spaces.Box(-1, 1, (1,)), spaces.Discrete(2)


@pytest.mark.parametrize(
    ("message", "case"),
    [
        ("observation must be a Dict", {"observation": spaces.Box(0, 1, (1,))}),
        ("'text' is neither Box nor Discrete", {"observation": spaces.Dict(text=spaces.Text(3))}),
        ("no 'eye' \\(--observe\\); it has: seen", {"names": Names(observe=("eye",))}),
        ("action must be a Dict", {"action": spaces.Box(0, 1, (1,))}),
        ("action must be a Dict", {"action": spaces.Dict(move=BOX, say=SAY, stop=SAY)}),
        ("no Box to move by", {"action": spaces.Dict(move=SAY, say=SAY)}),
        ("two boxes, 'a' and 'b': say which moves with --move", {"action": spaces.Dict(a=BOX, b=BOX)}),
        ("no 'jump' \\(--move\\)", {"names": Names(move="jump")}),
        ("no 'tell' \\(--predict\\)", {"names": Names(predict="tell")}),
        ("both 'move'", {"names": Names(move="move", predict="move")}),
        ("motion 'say' must be a Box", {"names": Names(move="say")}),
        ("'say' must be Discrete, or a Box of logits", {"action": spaces.Dict(move=BOX, say=spaces.MultiBinary(2))}),
        (
            "logits, which are learned from",
            {"action": spaces.Dict(a=BOX, b=BOX), "names": Names(move="a")},
        ),
        ("--num-glimpses", {"horizon": 0}),
    ],
)
def test_an_environment_of_the_wrong_shape_is_refused(message: str, case: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=message):
        odd(**case)


@pytest.mark.parametrize(
    ("message", "target", "case"),
    [
        ("info has no 'truth.class' \\(--target\\); it has: other, truth", "truth.class", {"truth": 1}),
        ("no class but float64", "truth", {"truth": 0.5}),
        ("no class but float64 of shape \\(2,\\)", "truth", {"truth": np.zeros(2)}),
        ("'truth' is 2, and there are 2 classes from 0", "truth", {"truth": 2}),
        ("'truth' is -3, and", "truth", {"truth": -3}),
        ("a reward that is not finite", "", {"reward": float("nan")}),
    ],
)
def test_what_an_environment_tells_wrongly_is_refused(message: str, target: str, case: dict[str, Any]) -> None:
    env = odd(Names(target=target), **case)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step({"location": np.zeros((2, 1)), "answer": np.zeros(2, np.int64)})


def test_a_target_in_some_rows_only_is_refused() -> None:
    rows = gym.vector.SyncVectorEnv([lambda: Odd(truth=1), lambda: Odd()])
    env = ExternalEnv(rows, Names(target="truth"), 3)
    agent = agent_for(env)
    with pytest.raises(ValueError, match="'truth' in some episodes only"):
        play(agent, env)


class Tells(gym.Env):
    """Two classes, told at the reset and never again; episodes of the second are a step longer."""

    observation_space = spaces.Dict({"sign": spaces.Discrete(2)})
    action_space = spaces.Dict({"say": spaces.Discrete(2), "walk": spaces.Box(-1.0, 1.0, (1,))})

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.sign, self.left = int(self.np_random.integers(2)), 3
        self.left += self.sign
        return {"sign": self.sign}, {"truth": self.sign}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.left -= 1
        return {"sign": self.sign}, 0.0, self.left == 0, False, {}


def test_a_target_told_at_the_reset_alone_counts_until_the_end():
    env = ExternalEnv(gym.vector.SyncVectorEnv([Tells] * 16), Names(target="truth"), 12)
    observation, _ = env.reset(seed=0)
    ended = np.zeros(16, bool)
    action = {"location": np.zeros((16, 1), np.float32), "answer": np.zeros(16, np.int64)}
    for _ in range(11):  # through several episodes of unlike length
        sign = observation["values"][:, 1]
        observation, _, terminated, _, info = env.step(action)
        np.testing.assert_array_equal(info["target"][~ended], sign[~ended])
        ended = terminated


def test_a_step_that_tells_no_target_after_others_did_is_not_given_an_old_one() -> None:
    class Sometimes(Tells):
        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            observation, reward, ended, _, _ = super().step(action)
            return observation, reward, ended, False, {"truth": self.sign} if self.left == 2 else {}

    env = ExternalEnv(gym.vector.SyncVectorEnv([Sometimes] * 2), Names(target="truth"), 12)
    with pytest.raises(ValueError, match="'truth'"):
        play(agent_for(env), env)


class AtTheEnd(gym.Env):
    """Fits the agent as it is, and tells its target in the last step alone."""

    metadata = {"horizon": 2}  # noqa: RUF012
    observation_space = spaces.Dict({"seen": spaces.Box(0, 1, (1,))})
    action_space = spaces.Dict({"answer": spaces.Discrete(2)})

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return {"seen": np.zeros(1, np.float32)}, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        over = self.steps == 2
        return {"seen": np.zeros(1, np.float32)}, 0.0, over, False, {"target": 1} if over else {}


def test_a_target_in_some_steps_only_is_refused() -> None:
    agent = make_agent(AtTheEnd(), AgentConfig(width=8))
    with pytest.raises(ValueError, match="a target in some steps or rows only"):
        collect(agent, BatchedEnv(AtTheEnd(), CPU), np.zeros(1, np.int64))


def test_a_recipe_that_cannot_be_is_refused() -> None:
    for changes, message in (
        ({"env": EnvConfig("Nowhere-v0")}, "--env Nowhere-v0 could not be made"),
        ({"env": EnvConfig("nowhere.tasks:Glimpse/Mine-v0")}, "could not be made .*No module named 'nowhere'"),
        ({"env": EnvConfig(DOOR, arguments=("walls=3",))}, "could not be made.*walls"),
        ({"gaze": "last"}, "no scripted gaze 'last'; it has random"),
        ({"estimator": "gain"}, "--target"),
    ):
        toy = replace(recipe(DOOR), **changes)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=message):
            Trainer.begin(toy, make_env(toy, "train", 2, CPU), CPU)


def test_a_training_that_is_resumed_goes_on_exactly() -> None:
    toy = recipe(LIGHT, episodes=32 * 4)

    def begin() -> Trainer:
        return Trainer.begin(toy, make_env(toy, "train", toy.batch, CPU), CPU)

    whole = begin()
    for update in range(4):
        if update == 2:
            saved = deepcopy(whole.to_dict())
        train_update(whole)
    resumed = begin()
    resumed.restore(saved)
    for _ in range(2):
        train_update(resumed)
    for name, value in whole.agent.state_dict().items():
        assert torch.equal(value, resumed.agent.state_dict()[name]), name


@pytest.mark.parametrize("id", [DOOR, LIGHT])
def test_from_the_command_line_to_a_weight_file_and_back(
    id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["--move", "step", "--target", "truth.class"] if id == LIGHT else ["--observe", "sign", "place"]
    options = ["--episodes", "64", "--batch", "16", "--folder", str(tmp_path), "--quiet", "--device", "cpu", *names]
    monkeypatch.setattr(sys, "argv", ["train", "--env", id, *options])
    monkeypatch.setattr("runs.validation.EXTERNAL_EPISODES", 16)
    monkeypatch.setattr("runs.evaluation.episodes_in", lambda env: 32)
    with pytest.raises(SystemExit) as ended:
        train.main()
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert f"join on {id}: 32 test episodes" in printed
    assert "return, random gaze" in printed
    assert ("error, random gaze" in printed) == (id == LIGHT)
    report = json.loads(json.dumps(evaluate_checkpoint(tmp_path / "agent.pt", episodes=20, device="cpu")))
    assert report["env_id"] == id
    assert ("error" in report) == (id == LIGHT)
    saved = Recipe.from_dict(load_checked(tmp_path / "checkpoint.pt")["recipe"])
    train_in(saved, tmp_path, device="cpu", resume=True, quiet=True)


def test_ap_gym() -> None:
    pytest.importorskip("ap_gym")
    names = {"move": "action", "target": "prediction.target"}
    env = make_env(replace(JOIN, env=EnvConfig("ap_gym:CircleSquareInverted-v0", **names)), "train", 3, CPU)
    try:
        assert (env.move, env.predict, env.horizon) == ("action", "prediction", 16)
        assert env.single_observation_space["values"].shape == (25 + 2 + 3 + 1,)
        trajectory = play(agent_for(env), env)
        assert trajectory.alive.all()
        assert trajectory.alive.shape == (16, 3)
        assert trajectory.target is not None
        assert (trajectory.target == trajectory.target[0]).all()
        loss = -trajectory.log_likelihood / np.log(2)  # ap_gym's is in units of chance
        base = trajectory.reward + loss
        assert ((base <= 1e-5) & (base > -0.01)).all()  # what is left is the cost of moving
    finally:
        env.close()
    place = make_env(replace(JOIN, env=EnvConfig("ap_gym:LightDark-v0", **names)), "train", 2, CPU)
    agent = agent_for(place)
    with pytest.raises(ValueError, match="no class but float32"):
        play(agent, place)
