"""Our agent in other people's environments: how they are read, what is learned from what, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents import AgentConfig, Foreign, Names, evaluate_outing, go_out, make_agent
from agents.agent import AttentionAgent
from runs import train
from runs.environments import make_env
from runs.evaluate import evaluate_checkpoint
from runs.foreign import outing_loss
from runs.recipe import EnvConfig, Recipe
from runs.recipes import JOIN, RECIPES
from runs.tables.foreign import PUBLISHED, foreign_row
from runs.trainer import Trainer, train_update
from runs.watch import watch

CPU = torch.device("cpu")
DOOR, LIGHT = "ToyDoor-v0", "ToyLight-v0"


class Door(gym.Env):
    """Behind which of three doors? A sign says it at the start; the answer earns a point, and nothing tells the truth.

    Episodes end as soon as the agent has moved to the right (at most four steps), and only a point at the end counts.
    """

    observation_space = spaces.Dict(
        dull=spaces.Box(0, 255, (2, 2), np.uint8), place=spaces.Box(-2.0, 2.0, (1,)), sign=spaces.Discrete(4, start=5)
    )
    action_space = spaces.Dict({"say": spaces.Discrete(3, start=1), "walk": spaces.Box(-4.0, 2.0, (1,))})

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.door, self.place, self.new = int(self.np_random.integers(3)), np.zeros(1, np.float32), True
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.new = False
        self.place = np.clip(self.place + action["walk"], -2, 2).astype(np.float32)
        done = bool(self.place[0] > 0.5)
        return self._seen(), float(done and action["say"] == self.door + 1), done, False, {}

    def _seen(self) -> dict[str, Any]:
        return {"sign": 5 + (self.door if self.new else 3), "place": self.place, "dull": np.full((2, 2), 255, np.uint8)}


class Light(gym.Env):
    """A number that is only seen on the right of the room; logits are wanted, and `info` holds the truth."""

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


def joined(id: str, names: Names, batch: int = 4, horizon: int = 0) -> Foreign:
    return Foreign(gym.make_vec(id, num_envs=batch), names, horizon)


TRUTH = Names(move="step", target="truth.class")


def recipe(id: str, **changes: Any) -> Recipe:
    agent = AgentConfig(width=32, where_stream=32)
    names = {"move": "step", "target": "truth.class"} if id == LIGHT else {}
    return replace(JOIN, env=EnvConfig(id, **names), agent=agent, batch=32, lr=1e-2, **changes)


def agent_for(env: Foreign, **config: Any) -> AttentionAgent:
    torch.manual_seed(0)
    agent = make_agent(env.single_observation_space, env.single_action_space, AgentConfig(width=16, **config))
    assert isinstance(agent, AttentionAgent)
    return agent


def test_all_parts_are_one_row_and_a_motion_fills_its_box() -> None:
    env = joined(DOOR, Names())
    assert (env.move, env.predict, env.horizon) == ("walk", "say", 4)
    observation, _ = env.reset(seed=0)
    assert observation["parts"].shape == (4, 9)
    np.testing.assert_array_equal(observation["parts"][:, :4], 1.0)  # dull: 255 of [0, 255]
    np.testing.assert_array_equal(observation["parts"][:, 4], 0.0)  # place
    np.testing.assert_array_equal(observation["parts"][:, 5:].sum(1), 1.0)  # sign, one-hot
    assert not observation["parts"][:, 8].any()
    motion = np.array([[-1.0], [0.0], [1.0], [9.0]])
    np.testing.assert_array_equal(env.motion.outwards(motion)[:, 0], [-4.0, -1.0, 2.0, 2.0])
    observation, *_ = env.step({"location": motion, "answer": np.eye(3)[[0, 1, 2, 0]]})
    np.testing.assert_allclose(observation["parts"][:, 4], [-1.0, -0.5, 1.0, 1.0])
    np.testing.assert_array_equal(observation["location"], motion)
    assert env.single_observation_space["parts"].contains(observation["parts"][0])


def test_only_what_is_asked_for_is_seen() -> None:
    env = joined(DOOR, Names(observe=("place", "sign")))
    assert env.reset(seed=0)[0]["parts"].shape == (4, 5)


def test_nothing_counts_after_an_early_end() -> None:
    env = joined(DOOR, Names(), batch=3)
    agent = agent_for(env)
    places = torch.full((4, 3, 1), 1 / 3)  # 0 in [-4, 2]: stay
    places[1, 0] = 1.0  # the first leaves in its second step
    outing = go_out(agent, env, seed=1, std=0.1, places=places, generator=torch.Generator().manual_seed(0))
    assert outing.alive.sum(0).tolist() == [2, 4, 4]
    assert outing.last().tolist() == [1, 3, 3]
    assert not outing.reward[2:, 0].any()
    loss, _ = outing_loss(JOIN, outing)
    changed = outing._replace(log_prob=outing.log_prob.clone(), value=outing.value.clone())
    changed.log_prob[2:, 0] += 7.0
    changed.value[2:, 0] -= 7.0
    torch.testing.assert_close(outing_loss(JOIN, changed)[0], loss)


def test_an_error_counts_the_last_answer_of_an_episode_that_has_ended() -> None:
    env = joined(LIGHT, TRUTH, batch=8)
    score = evaluate_outing(agent_for(env), env, 11, seed=3)
    assert score.episodes == 11
    assert score.steps == 5
    assert score.error == score.error_by_glimpse[-1]
    assert len(score.error_by_glimpse) == 5
    again = evaluate_outing(agent_for(env), env, 11, seed=3)
    assert again == score  # the seed makes the episodes


def test_the_policy_gradient_leaves_the_core_alone_where_a_target_is_known() -> None:
    env = joined(LIGHT, TRUTH, batch=8)
    agent = agent_for(env)
    noise = torch.randn(5, 8, 2, generator=torch.Generator().manual_seed(0))
    outing = go_out(agent, env, seed=0, std=0.5, noise=noise)
    assert outing.log_prob.shape == outing.log_likelihood.shape == (5, 8)
    parameters = dict(agent.named_parameters())
    gradients = torch.autograd.grad(outing.log_prob.sum(), list(parameters.values()), allow_unused=True)
    reached = {name.partition(".")[0] for name, value in zip(parameters, gradients, strict=True) if value is not None}
    assert reached == {"gaze"}


@pytest.mark.parametrize("core", ["rnn", "none"])
def test_memory_alone_gives_the_same_episodes_at_once(core: str) -> None:
    env = joined(LIGHT, TRUTH, batch=2)
    memory = {"memory": "episodic", "memory_options": ("slots=5", "width=8")} if core == "none" else {}
    agent = agent_for(env, core=core, **memory).eval()
    noise = torch.randn(5, 2, 2, generator=torch.Generator().manual_seed(0))
    together = go_out(agent, env, seed=0, std=0.5, noise=noise)
    with torch.no_grad():
        stepwise = go_out(agent, env, seed=0, std=0.5, noise=noise)
    torch.testing.assert_close(together.answer, stepwise.answer)
    torch.testing.assert_close(together.log_prob, stepwise.log_prob)


@pytest.mark.parametrize("reward", ["environment", "gain", "final"])
def test_it_learns_to_look_where_the_light_is(reward: str) -> None:
    toy = recipe(LIGHT, reward=reward, episodes=32 * 60)
    env = make_env(toy, "train", toy.batch, CPU)
    trainer = Trainer.begin(toy, env, CPU)
    for _ in range(toy.updates()):
        train_update(trainer, env, CPU)
    score = evaluate_outing(trainer.agent, env, 200, seed=9)  # type: ignore[arg-type]
    assert score.error is not None
    assert score.error < 5
    assert score.error_by_glimpse[0] > 30


def test_answers_and_motions_learn_from_reward_alone() -> None:
    toy = recipe(DOOR, episodes=32 * 120)
    env = make_env(toy, "train", toy.batch, CPU)
    trainer = Trainer.begin(toy, env, CPU)
    for _ in range(toy.updates()):
        scalars = train_update(trainer, env, CPU)
    assert "rollout/success_rate" not in scalars
    score = evaluate_outing(trainer.agent, env, 200, seed=9)  # type: ignore[arg-type]
    assert score.error is None
    assert score.error_by_glimpse == []
    assert score.mean_return > 0.9


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


def odd(names: Names | None = None, horizon: int = 3, **parts: Any) -> Foreign:
    return Foreign(gym.vector.SyncVectorEnv([lambda: Odd(**parts)] * 2), names or Names(), horizon)


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
        env.step({"location": np.zeros((2, 1)), "answer": np.zeros((2, 2))})


def test_a_target_in_some_rows_only_is_refused() -> None:
    rows = gym.vector.SyncVectorEnv([lambda: Odd(truth=1), lambda: Odd()])
    env = Foreign(rows, Names(target="truth"), 3)
    agent = agent_for(env)
    with pytest.raises(ValueError, match="'truth' in some episodes only"):
        go_out(agent, env, seed=0)


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
    env = Foreign(gym.vector.SyncVectorEnv([Tells] * 16), Names(target="truth"), 12)
    observation, _ = env.reset(seed=0)
    ended = np.zeros(16, bool)
    action = {"location": np.zeros((16, 1), np.float32), "answer": np.zeros((16, 2), np.float32)}
    for _ in range(11):  # through several episodes of unlike length
        sign = observation["parts"][:, 1]
        observation, _, terminated, _, info = env.step(action)
        np.testing.assert_array_equal(info["target"][~ended], sign[~ended])
        ended = terminated


def test_a_step_that_tells_no_target_after_others_did_is_not_given_an_old_one() -> None:
    class Sometimes(Tells):
        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            observation, reward, ended, _, _ = super().step(action)
            return observation, reward, ended, False, {"truth": self.sign} if self.left == 2 else {}

    env = Foreign(gym.vector.SyncVectorEnv([Sometimes] * 2), Names(target="truth"), 12)
    with pytest.raises(ValueError, match="'truth'"):
        go_out(agent_for(env), env, seed=0)


def test_a_recipe_that_cannot_be_is_refused() -> None:
    for changes, message in (
        ({"env": EnvConfig("Nowhere-v0")}, "--env Nowhere-v0 could not be made"),
        ({"env": EnvConfig(DOOR, arguments=("walls=3",))}, "could not be made.*walls"),
        ({"gaze": "last"}, "lines of a story"),
        ({"gaze": "scan"}, "lines of a story"),
    ):
        with pytest.raises(ValueError, match=message):
            make_env(replace(recipe(DOOR), **changes), "train", 2, CPU)  # type: ignore[arg-type]
    toy = recipe(DOOR, reward="gain")
    env = make_env(toy, "train", 2, CPU)
    with pytest.raises(ValueError, match="--target"):
        train_update(Trainer.begin(toy, env, CPU), env, CPU)


@pytest.mark.parametrize("id", [DOOR, LIGHT])
def test_from_the_command_line_to_a_weight_file_and_back(
    id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["--move", "step", "--target", "truth.class"] if id == LIGHT else ["--observe", "sign", "place"]
    options = ["--episodes", "64", "--batch", "16", "--folder", str(tmp_path), "--quiet", "--device", "cpu", *names]
    monkeypatch.setattr(sys, "argv", ["train", "--env", id, *options])
    monkeypatch.setattr("runs.validation.FOREIGN_EPISODES", 16)
    monkeypatch.setattr("runs.evaluate.episodes_in", lambda env: 32)
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
    with pytest.raises(ValueError, match=id):
        watch(tmp_path / "agent.pt", tmp_path / "gaze.png")
    train.train(recipe_of(tmp_path), tmp_path, device="cpu", resume=True, quiet=True)


def recipe_of(folder: Path) -> Recipe:
    return Recipe.from_dict(torch.load(folder / "checkpoint.pt", weights_only=True)["recipe"])


def test_ap_gym() -> None:
    pytest.importorskip("ap_gym")
    names = {"move": "action", "target": "prediction.target"}
    env = make_env(replace(JOIN, env=EnvConfig("ap_gym:CircleSquareInverted-v0", **names)), "train", 3, CPU)
    try:
        assert (env.move, env.predict, env.horizon) == ("action", "prediction", 16)
        assert env.single_observation_space["parts"].shape == (25 + 2 + 3 + 1,)
        outing = go_out(agent_for(env), env, seed=0)
        assert outing.alive.all()
        assert outing.alive.shape == (16, 3)
        assert outing.target is not None
        assert (outing.target == outing.target[0]).all()
        loss = -outing.log_likelihood / np.log(2)  # ap_gym's is in units of chance
        base = outing.reward + loss
        assert ((base <= 1e-5) & (base > -0.01)).all()  # what is left is the cost of moving
    finally:
        env.close()
    place = make_env(replace(JOIN, env=EnvConfig("ap_gym:LightDark-v0", **names)), "train", 2, CPU)
    agent = agent_for(place)
    with pytest.raises(ValueError, match="no class but float32"):
        go_out(agent, place, seed=0)


def test_a_row_of_results_counts_ap_gyms_loss_in_units_of_chance() -> None:
    report = {"mean_return": -3.0, "cross_entropy": 2 * np.log(4), "error": 12.5, "steps": 16.0}
    row = foreign_row("circle-square", report, 4, 1234)
    assert row.startswith("| `circle-square` | 16 | **12.50** | -3.00 | -1.00 | error 3.3")
    assert row.endswith("| 1,234 |\n")
    assert set(PUBLISHED) <= set(RECIPES)
