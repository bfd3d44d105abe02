"""The one function that plays episodes: everybody's environments, single and vector, equal and unequal lengths."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents import AgentConfig, AttentionAgent, BatchedEnv, collect, make_agent
from agents.evaluation import evaluate
from agents.training.losses import trajectory_loss
from agents.training.recipe import Recipe
from agents.training.trainer import Trainer, train_update

CPU = torch.device("cpu")
IMAGES = {"images": np.random.default_rng(0).integers(0, 255, (40, 10, 10), np.uint8), "labels": np.arange(40) % 4}
GLIMPSES = {**IMAGES, "split": "all", "patch": 4, "scales": 2, "num_glimpses": 4, "size": 16}


def images(rows: int, **kwargs: Any) -> Any:
    kwargs = {"backend": "torch", "autoreset_mode": "Disabled"} | kwargs
    return gym.make_vec("glimpse_env:Glimpse/Classify-v0", num_envs=rows, **GLIMPSES, **kwargs)


def agent_for(env: Any, **config: Any) -> AttentionAgent:
    torch.manual_seed(0)
    agent = make_agent(env, AgentConfig(**{"width": 16, **config}))
    with torch.no_grad():
        for parameter in agent.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return agent


def same(one: Any, other: Any) -> None:
    for name in ("reward", "scored", "alive", "log_likelihood", "length", "target"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), check_dtype=False, msg=name)
    for name, value in one.params.items():
        torch.testing.assert_close(value, other.params[name])
    for name in one.observations:
        torch.testing.assert_close(one.observations[name], other.observations[name])


def test_the_same_from_any_face_of_an_environment():
    agent, episodes = agent_for(images(3)), np.array([5, 2, 9])
    with torch.no_grad():
        native = collect(agent, BatchedEnv(images(3), CPU), episodes, seed=3)
        for mode in ("NextStep", "Disabled"):
            env = images(3, backend="numpy", autoreset_mode=mode)
            same(native, collect(agent, BatchedEnv(env, CPU), episodes, seed=3))
        single = BatchedEnv(gym.make("glimpse_env:Glimpse/Classify-v0", **GLIMPSES), CPU)
        for row, episode in enumerate(episodes):
            alone = collect(agent, single, np.array([episode]), seed=3)
            torch.testing.assert_close(alone.reward[:, 0], native.reward[:, row])
            torch.testing.assert_close(alone.params["answer"][:, 0], native.params["answer"][:, row])
    assert native.scored.sum(0).tolist() == [1, 1, 1]
    assert (native.scored[-1]).all()


def test_the_reward_is_the_environments_own():
    env = images(4)

    class Doubled(gym.vector.VectorWrapper):
        def step(self, actions):
            observation, reward, *rest = self.env.step(actions)
            return (observation, 2 * reward + 1, *rest)

    agent = agent_for(env)
    with torch.no_grad():
        plain = collect(agent, BatchedEnv(env, CPU), np.arange(4))
        doubled = collect(agent, BatchedEnv(Doubled(images(4)), CPU), np.arange(4))
    torch.testing.assert_close(doubled.reward, 2 * plain.reward + 1)


def test_with_gradient_at_once_and_step_by_step_are_the_same():
    """An agent without a core acts without gradient, and evaluates whole episodes afterwards."""
    env = BatchedEnv(images(5), CPU)
    agent = agent_for(images(5), core="none", memory="episodic", memory_options=("slots=4", "width=16", "hops=2"))
    assert agent.at_once
    noise = {"location": torch.rand(4, 5, 2)}
    trajectory = collect(agent, env, np.arange(5), noise=noise, std=0.1)
    state, each = agent.initial_state(5), []
    for step in range(4):
        decision = agent({name: value[step] for name, value in trajectory.observations.items()}, state)
        state = decision.state
        each.append(decision.params)
    for name in ("answer", "location"):
        torch.testing.assert_close(trajectory.params[name], torch.stack([params[name] for params in each]))
    trajectory.log_likelihood.sum().backward()
    assert all(p.grad is not None for p in agent.encoders.parameters())


def test_given_actions_take_the_place_of_the_agents():
    env = BatchedEnv(images(3), CPU)
    places = env.scripted_gaze("random", 7, np.arange(3))
    trajectory = collect(agent_for(images(3)), env, np.arange(3), seed=7, given={"location": places})
    torch.testing.assert_close(trajectory.observations["location"][1:], places)
    assert trajectory.log_prob == {}
    with pytest.raises(ValueError, match=r"no scripted gaze 'scan'; it has .*random"):
        env.scripted_gaze("scan", 7, np.arange(3))


class Countdown(gym.Env):
    """Ends after as many steps as the first observation says; each step is worth its number. No target is told."""

    metadata = {"horizon": 5, "roles": {"left": "values"}}  # noqa: RUF012
    observation_space = spaces.Dict({"left": spaces.Box(0, 5, (1,), np.float32)})
    action_space = spaces.Dict({"answer": spaces.Discrete(3)})

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = 1 + (options or {}).get("episode", 0) % 4
        self.step_number = 0
        return {"left": np.float32([self.left])}, {}

    def step(self, action):
        self.left, self.step_number = self.left - 1, self.step_number + 1
        return {"left": np.float32([self.left])}, float(self.step_number), self.left == 0, False, {}


class Undecided(Countdown):
    """Tells right answers, and not which of them count."""

    def step(self, action):
        observation, reward, ended, cut, _ = super().step(action)
        return observation, reward, ended, cut, {"target": 1}


def test_what_cannot_be_learned_from_is_refused():
    with pytest.raises(ValueError, match="whether the answer counts"):
        collect(agent_for(Undecided()), BatchedEnv(Undecided(), CPU), np.array([0]))
    agent = agent_for(Countdown())
    trajectory = collect(agent, BatchedEnv(Countdown(), CPU), np.array([2]))
    with pytest.raises(ValueError, match='answer_signal="reward"'):
        trajectory_loss(Recipe(), agent, trajectory)


def test_episodes_of_unequal_length_without_a_target():
    env = gym.vector.SyncVectorEnv([Countdown] * 4)
    env.metadata = {**env.metadata, **Countdown.metadata}
    with pytest.raises(ValueError, match="4 episodes for an environment of 1 rows"):
        collect(agent_for(Countdown()), BatchedEnv(Countdown(), CPU), np.arange(4))
    for episode, steps in ((0, 1), (2, 3)):
        trajectory = collect(agent_for(Countdown()), BatchedEnv(Countdown(), CPU), np.array([episode]))
        assert trajectory.length.tolist() == [steps]
        assert trajectory.reward.sum() == sum(range(1, steps + 1))
        assert trajectory.target is None
        assert trajectory.hits is None
    result = evaluate(agent_for(Countdown()), Countdown(), np.int64(8))
    assert result.error is result.wrong_episodes is None
    assert result.mean_length == 2.5
    assert result.mean_return == pytest.approx((1 + 3 + 6 + 10) / 4)


@pytest.mark.parametrize("memory", ["none", "episodic", "hopfield", "ntm", "dnc"])
def test_read_ahead_is_the_same_as_stepping(memory: str):
    """A passive task is read whole; behind a wrapper, which may change what is observed, it is stepped."""
    name, kwargs = "glimpse_env:Glimpse/Copy-v0", {"max_length": 5, "backend": "torch", "autoreset_mode": "Disabled"}
    env, wrapped = (gym.make_vec(name, num_envs=6, **kwargs) for _ in range(2))
    wrapped = gym.vector.VectorWrapper(wrapped)
    core = "rnn" if memory == "none" else "none"
    agent = agent_for(env, core=core, memory=memory)
    whole, stepped = BatchedEnv(env, CPU), BatchedEnv(wrapped, CPU)
    assert whole.read_ahead
    assert not stepped.read_ahead
    with torch.no_grad():
        one = collect(agent, whole, np.arange(6), seed=2, watch=True)
        other = collect(agent, stepped, np.arange(6), seed=2, watch=True)
    assert one.steps is not None
    index = one.steps[..., None].expand(-1, -1, 8)
    there = one.scored[..., None]
    torch.testing.assert_close(one.params["answer"] * there, other.params["answer"].gather(0, index) * there)
    torch.testing.assert_close(one.reward.sum(0), other.reward.sum(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(one.length, other.length)
    numbers = np.arange(20)
    first, second = evaluate(agent, env, numbers), evaluate(agent, wrapped, numbers)
    assert first.error == pytest.approx(second.error)
    assert first.bits == pytest.approx(second.bits, rel=1e-5)
    assert first.mean_length == second.mean_length


class Shown(gym.Env):
    """Somebody's own environment: which of three is shown, at a fixation of another name than ours, in three steps."""

    metadata = {  # noqa: RUF012
        "horizon": 3,
        "roles": {"shown": "values", "fixation": "place"},
        "action_roles": {"fixation": "place"},
        "gazes": ("middle",),
    }
    observation_space = spaces.Dict(
        {"shown": spaces.Box(0, 1, (3,), np.float32), "fixation": spaces.Box(-1, 1, (2,), np.float32)}
    )
    action_space = spaces.Dict(
        {"fixation": spaces.Box(-1, 1, (2,), np.float32), "answer": spaces.Discrete(3), "vote": spaces.Discrete(2)}
    )

    def __init__(self, scored: bool = True, targets: bool = True):
        self.scored, self.targets = scored, targets

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps, self.target, self.fixation = 0, int(self.np_random.integers(3)), np.zeros(2, np.float32)
        return self.observation(), {"name": "text is left out"}

    def observation(self):
        return {"shown": np.eye(3, dtype=np.float32)[self.target], "fixation": self.fixation}

    def step(self, action):
        self.steps, self.fixation = self.steps + 1, np.asarray(action["fixation"], np.float32).clip(-1, 1)
        ended = self.steps == 3
        info = {"target": self.target} if self.targets else {}
        return self.observation(), float(action["vote"]), ended, False, {**info, "scored": ended and self.scored}

    def scripted_gaze(self, name, seed, episodes):
        return np.full((2, len(episodes), 2), 0.5, np.float32)


def several(*rows: Any) -> Any:
    return gym.vector.SyncVectorEnv([lambda row=row: row for row in rows])


def test_other_environments_are_seeded_by_seed_and_episode_number():
    env = BatchedEnv(several(*(Shown() for _ in range(8))), CPU)
    first, second, again = (env.reset(3, np.arange(n, n + 8))[0]["shown"] for n in (0, 8, 0))
    assert len(first.unique(dim=0)) == 3
    assert not torch.equal(first, second)
    torch.testing.assert_close(first, again)
    single = BatchedEnv(Shown(), CPU)
    for row in range(8):
        torch.testing.assert_close(single.reset(3, np.array([row]))[0]["shown"][0], first[row])


def test_a_scripted_gaze_is_given_to_the_place_whatever_its_name():
    paths: list[torch.Tensor] = []
    agent = agent_for(Shown())
    evaluate(agent, Shown(), 1, gaze="middle", observer=lambda t, _: paths.append(t.observations["fixation"]))
    assert paths[0][1:].unique().tolist() == [0.5]


def test_a_target_in_some_rows_only_is_refused():
    env = several(Shown(), Shown(targets=False))
    with pytest.raises(ValueError, match="in some steps or rows only"):
        collect(agent_for(env), BatchedEnv(env, CPU), np.arange(2))


def test_episodes_in_which_no_answer_is_scored_are_wrong():
    result = evaluate(agent_for(Shown()), Shown(scored=False), 2)
    assert (result.error, result.wrong_episodes) == (100.0, 100.0)


def test_every_part_of_an_action_is_learned_or_refused():
    """A second part without a target learns from reward; an answer without one is not left as it was."""
    recipe = Recipe(batch=8, estimator="reinforce", agent=AgentConfig(width=16))
    trainer = Trainer.begin(recipe, several(*(Shown() for _ in range(8))), CPU)
    before = {name: value.clone() for name, value in trainer.agent.heads.state_dict().items()}
    for _ in range(2):
        train_update(trainer)
    for name, value in trainer.agent.heads.state_dict().items():
        assert not torch.equal(value, before[name]), name
    trainer = Trainer.begin(recipe, several(*(Shown(targets=False) for _ in range(8))), CPU)
    with pytest.raises(ValueError, match='answer_signal="reward"'):
        train_update(trainer)


def test_what_a_memory_did_is_kept_where_it_is_asked_for():
    env = images(3)
    agent = agent_for(env, core="none", memory="episodic", memory_options=("slots=3", "width=16", "hops=2"))
    with torch.no_grad():
        trajectory = collect(agent, BatchedEnv(env, CPU), np.arange(3), watch=True)
    watched = trajectory.watched
    assert watched is not None
    assert watched.read.shape == (4, 3, 2, 3)
    assert watched.gate.shape == (4, 3)
    assert watched.contents.shape[:2] == (3, 3)
    assert watched.step.tolist() == [[3, 1, 2]] * 3


def test_what_cannot_be_collected_from_is_refused():
    with pytest.raises(ValueError, match="metadata"):
        BatchedEnv(gym.make("CartPole-v1"), CPU)
    env = Countdown()
    env.action_space = spaces.Dict({"force": spaces.Box(5, 10, (1,), np.float32), **Countdown.action_space})
    with pytest.raises(ValueError, match=r"a motion is in \[-1, 1\]"):
        BatchedEnv(env, CPU)
    with pytest.raises(ValueError, match="NextStep"):
        BatchedEnv(images(2, backend="numpy", autoreset_mode="SameStep"), CPU)
    with pytest.raises(ValueError, match="make both on one device"):
        BatchedEnv(images(2), torch.device("meta"))
    with pytest.raises(ValueError, match="at least 1"):
        evaluate(agent_for(images(2)), images(2), 0)


def test_some_rows_are_led_and_the_others_go_their_own_way():
    env, agent = BatchedEnv(images(4), CPU), agent_for(images(4))
    places = env.scripted_gaze("random", 7, np.arange(4))
    places[1, :2] = places[0, :2]
    led, noise = torch.tensor([True, False, True, False]), {"location": torch.randn(4, 4, 2)}
    alone = collect(agent, env, np.arange(4), seed=7, noise=noise, std=0.3)
    mixed = collect(agent, env, np.arange(4), seed=7, noise=noise, std=0.3, given={"location": places}, led=led)
    around = (places + 0.3 * noise["location"][: len(places)])[:, led].clamp(-1, 1)
    torch.testing.assert_close(mixed.observations["location"][1:, led], around)
    torch.testing.assert_close(mixed.observations["location"][:, ~led], alone.observations["location"][:, ~led])
    torch.testing.assert_close(mixed.log_prob["location"][:, ~led], alone.log_prob["location"][:, ~led])
    assert mixed.led is led
    density = agent.heads["location"].log_prob(mixed.params["location"][: len(places)], places, 0.3)
    torch.testing.assert_close(mixed.demonstrated["location"], torch.cat([density, torch.zeros(1, 4)]))
    assert mixed.moved is not None
    assert mixed.moved.tolist() == [[True] * 4, [False, False, True, True], [True] * 4, [False] * 4]


def test_what_the_oracle_looks_at_is_found_once_it_lies_in_the_finest_patch_and_stays_found():
    """A canvas of 100 pixels and patches of 10: a tenth of [-1, 1] around the gaze, on each side."""
    kwargs = {"size": 100, "patch": 10, "num_glimpses": 4, "backend": "torch", "autoreset_mode": "Disabled"}
    env = gym.make_vec("glimpse_env:Glimpse/ClutteredMNIST-v0", num_envs=3, **kwargs)
    batched, agent = BatchedEnv(env, CPU), agent_for(env)
    oracle = torch.tensor([[[0.5, 0.5], [0.0, 0.09], [0.5, 0.5]]] * 3)
    off = torch.zeros(4, 3, 2)
    off[:3, :, 0] = torch.tensor([[0.2, 0.2, 0.2], [-0.2, 0.09, 0.2], [0.09, 0.2, 0.2]])
    led = torch.ones(3, dtype=torch.bool)
    drawn = collect(agent, batched, np.arange(3), noise={"location": off}, std=1.0, given={"location": oracle}, led=led)
    assert drawn.found is not None
    # The first fixation is the centre, which is where the oracle looks in the second episode.
    assert drawn.found.T.tolist() == [[False, False, False, True], [True] * 4, [False] * 4]
