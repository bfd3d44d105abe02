"""Episodes that are read ahead: what is decided where, curricula, learning from target and from reward."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

from agents import AgentConfig, AttentionAgent, BatchedEnv, EnvSpec, Trajectory, collect, evaluate, make_agent, spec_of
from agents.training.curriculum import Curriculum
from agents.training.exploration import exploration_noise
from agents.training.losses import trajectory_loss
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer, train_update
from memory import MEMORIES
from runs.environments import make_env

CPU = torch.device("cpu")
COPY = EnvConfig("Copy-v0", arguments=("bits=3", "max_length=4"))
READER = AgentConfig(
    width=16, core="none", memory="episodic", memory_options=("slots=9", "width=16", "hops=1"), ignore=()
)
OPTIONS = {
    "none": (),
    "episodic": ("slots=9", "width=16", "heads=2"),
    "hopfield": ("slots=9", "width=16"),
    "ntm": ("slots=6", "width=5"),
    "dnc": ("slots=6", "width=5", "reads=2"),
}


def copier(memory: str, core: Any = "lstm", env: EnvConfig = COPY) -> Recipe:
    agent = AgentConfig(width=16, core=core, memory=memory, memory_options=OPTIONS[memory])
    return Recipe("toy", env, agent, batch=8, episodes=8000, lr=1e-2)


def begin(recipe: Recipe, split: str = "train", rows: int = 0) -> Trainer:
    return Trainer.begin(recipe, make_env(recipe, split, rows or recipe.batch, CPU), CPU)


def read(trainer: Trainer, episodes: list[int] | np.ndarray, **how: Any) -> Trajectory:
    return collect(trainer.agent, trainer.env, np.asarray(episodes), seed=3, **how)


@pytest.fixture
def babi(babi_folder: str) -> EnvConfig:
    return EnvConfig("Babi-v0", arguments=(f"data={babi_folder}", "task=1"))


@pytest.mark.parametrize("memory", MEMORIES)
def test_reading_at_once_is_reading_step_by_step(memory: str) -> None:
    torch.manual_seed(0)
    spec = spec_of(gym.make("glimpse_env:Glimpse/Copy-v0", bits=3))
    bits, steps = torch.rand(7, 3, 4, dtype=torch.float64), torch.tensor([[6, 2, 0], [1, 3, 5]])
    for core in ("lstm", "rnn", "none"):
        config = AgentConfig(width=16, core=core, memory=memory, memory_options=OPTIONS[memory])
        agent = AttentionAgent(spec, config).double()
        whole, some = agent.evaluate_episodes({"bits": bits}), agent.evaluate_episodes({"bits": bits}, steps)
        torch.testing.assert_close(some.features, whole.features.take_along_dim(steps[..., None], 0))
        torch.testing.assert_close(some.params["answer"], whole.params["answer"].take_along_dim(steps[..., None], 0))
        state = agent.initial_state(3)
        for step, seen in enumerate(bits):
            decision = agent({"bits": seen}, state)
            torch.testing.assert_close(decision.features, whole.features[step])
            torch.testing.assert_close(decision.params["answer"], whole.params["answer"][step])
            state = decision.state


def test_the_answers_that_count_are_those_the_task_scores() -> None:
    trainer = begin(copier("none"), rows=6)
    trajectory = read(trainer, range(6))
    assert trajectory.target is not None
    assert torch.equal(trajectory.scored, trajectory.alive)
    assert torch.equal(trajectory.scored.sum(0), trajectory.info["length"])
    assert len(set(trajectory.info["length"].tolist())) > 1
    single = gym.make("glimpse_env:Glimpse/Copy-v0", bits=3, max_length=4)
    for row in range(6):
        observation, info = single.reset(seed=3, options={"episode": row})
        shown = []
        for _ in range(info["length"]):
            shown.append(observation["bits"][:3])
            observation = single.step({"answer": np.zeros(3, np.int8)})[0]
        np.testing.assert_array_equal(trajectory.target[trajectory.scored[:, row], row], shown)


def test_a_single_environment_is_read_as_a_row_of_many() -> None:
    trainer = begin(copier("dnc"), rows=6)
    many = read(trainer, range(6))
    one = BatchedEnv(gym.make("glimpse_env:Glimpse/Copy-v0", bits=3, max_length=4), CPU)
    assert one.read_ahead
    ours = collect(trainer.agent, one, np.array([4]), seed=3)
    for theirs, part in ((many.params["answer"], ours.params["answer"]), (many.target, ours.target)):
        assert theirs is not None
        assert part is not None
        torch.testing.assert_close(part[ours.scored], theirs[:, 4][many.scored[:, 4]])
    torch.testing.assert_close(ours.reward.sum(0), many.reward.sum(0)[4:5])


def test_an_environment_that_hides_its_ends_is_refused() -> None:
    env = gym.make_vec("glimpse_env:Glimpse/Copy-v0", 2, bits=3, max_length=4, autoreset_mode="SameStep")
    assert BatchedEnv(env, CPU).read_ahead  # it is never stepped
    with pytest.raises(ValueError, match="NextStep"):
        BatchedEnv(gym.vector.VectorWrapper(env), CPU)


def test_bits_per_sequence_are_summed_over_an_episode() -> None:
    trainer = begin(copier("none"), rows=6)
    with torch.no_grad():
        for parameter in trainer.agent.heads["answer"].parameters():
            parameter.zero_()
    result = evaluate(trainer.agent, trainer.env.env, 6, seed=3)
    mean_length = float(read(trainer, range(6)).info["length"].double().mean())
    assert result.bits == pytest.approx(3 * mean_length, rel=1e-5)
    assert result.cross_entropy == pytest.approx(math.log(2) * result.bits)
    assert result.error_by_step == []


def test_an_evaluation_does_not_depend_on_the_width_of_the_vector(babi: EnvConfig) -> None:
    recipe = Recipe("toy", babi, READER)
    trainer, narrow = begin(recipe, "test", rows=10), make_env(recipe, "test", 7, CPU)
    first, second = (evaluate(trainer.agent, env, np.arange(10)) for env in (trainer.env.env, narrow))
    assert (first.error, first.error_by_group, first.episodes) == (second.error, second.error_by_group, 10)
    for mean in ("bits", "cross_entropy", "mean_return", "mean_length"):
        assert getattr(first, mean) == pytest.approx(getattr(second, mean)), mean
    assert first.error == first.error_by_group[1] == first.wrong_episodes


def test_a_spec_is_plain_types_and_fits_texts_of_other_lengths() -> None:
    env = gym.make("glimpse_env:Glimpse/MQAR-v0", vocabulary=50, length=16, pairs=2)
    spec = spec_of(env)
    assert spec.observation["tokens"].sizes == (50,)
    assert EnvSpec.from_dict(spec.to_dict()) == spec
    longer = spec_of(gym.make("glimpse_env:Glimpse/MQAR-v0", vocabulary=50, length=32, pairs=4))
    wider = spec_of(gym.make("glimpse_env:Glimpse/MQAR-v0", vocabulary=60, length=16, pairs=2))
    assert spec.fits(longer)
    assert not spec.fits(wider)


def test_a_bucket_deals_out_every_episode_once_and_alike_lengths_together() -> None:
    recipe = replace(copier("none"), bucket_batches=4)
    env = begin(recipe).env
    curriculum = Curriculum.begin(recipe, env)
    batches = [curriculum.episodes(recipe, env, update) for update in range(4)]
    assert sorted(np.concatenate(batches)) == list(range(32))
    assert max(np.ptp(env.whole(recipe.seed, batch).info["length"].numpy()) for batch in batches) <= 2
    again = Curriculum.begin(recipe, env)
    assert [tuple(batch) for batch in batches] == [tuple(again.episodes(recipe, env, update)) for update in range(4)]


def test_more_is_read_of_what_goes_badly() -> None:
    """Episodes of groups 1 and 2 in turn, of lengths 0 to 4; group 1 is answered rightly, group 2 never."""
    env: Any = SimpleNamespace(
        metadata={"group_names": ("", "one", "two"), "group_key": "task"},
        device=CPU,
        read_ahead=True,
        groups=lambda seed, episodes: 1 + episodes % 2,
        lengths=lambda seed, episodes: episodes % 5,
    )
    recipe = Recipe(env=EnvConfig("Babi-v0"), batch=50, bucket_batches=20, oversample=4)
    curriculum = Curriculum.begin(recipe, env)

    def share_of_group_2(bucket: int) -> float:
        batches = [curriculum.episodes(recipe, env, 20 * bucket + place) for place in range(20)]
        numbers = np.concatenate(batches)
        assert len(set(numbers)) == 1000
        assert set(numbers // 4000) == {bucket}
        assert max(len(set(batch % 5)) for batch in batches) <= 2
        return float((numbers % 2).mean())

    assert share_of_group_2(0) == pytest.approx(0.5, abs=0.05)
    task = torch.tensor([1, 2]).repeat(50)
    answered: Any = SimpleNamespace(
        hits=(task == 1)[None, :, None], scored=torch.ones(1, 100, dtype=torch.bool), info={"task": task}
    )
    for _ in range(20):
        curriculum.update(env, answered)
    torch.testing.assert_close(curriculum.error[1:], torch.tensor([0.0, 1.0]).double(), rtol=0, atol=0.02)
    assert 0.85 < share_of_group_2(1) < 1.0


def test_oversampling_needs_groups_and_a_bucket(babi: EnvConfig) -> None:
    for recipe in (
        replace(copier("none"), oversample=2, bucket_batches=4),
        Recipe("toy", babi, READER, oversample=2),
        Recipe("toy", babi, READER, oversample=0, bucket_batches=4),
        Recipe("toy", replace(babi, id="BabiGaze-v0"), READER, oversample=2, bucket_batches=4, answer_weights="later"),
    ):
        with pytest.raises(ValueError, match="--oversample"):
            begin(recipe, rows=2)


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("answer_signal", ["target", "reward"])
def test_a_training_resumed_within_a_bucket_goes_on_exactly(babi: EnvConfig, answer_signal: Any) -> None:
    agent = replace(READER, memory_options=(*READER.memory_options, "dropout=0.2"))
    recipe = Recipe("toy", babi, agent, batch=8, bucket_batches=4, oversample=2, episodes=80, estimator="reinforce")
    recipe = replace(recipe, answer_signal=answer_signal)
    whole = begin(recipe)
    for update in range(6):
        if update == 2:
            saved = deepcopy(whole.to_dict())
        train_update(whole)
    resumed = begin(recipe)
    resumed.restore(saved)
    for _ in range(4):
        train_update(resumed)
    assert torch.equal(whole.curriculum.error, resumed.curriculum.error)
    assert same(whole.agent.state_dict(), resumed.agent.state_dict())


@pytest.mark.parametrize("memory", ["episodic", "ntm", "dnc"])
def test_a_memory_learns_to_copy(memory: str) -> None:
    """A row of three bits to be given back a step later."""
    env = EnvConfig("Copy-v0", arguments=("bits=3", "min_length=1", "max_length=1"))
    trainer = begin(replace(copier(memory, env=env), batch=32, episodes=32 * 150))
    for _ in range(150):
        scalars = train_update(trainer)
    assert float(scalars["rollout/success_rate"]) > 0.97


def test_answers_are_learned_from_reward_alone(babi: EnvConfig) -> None:
    recipe = Recipe("toy", babi, READER, batch=32, episodes=32 * 150, lr=1e-2, answer_signal="reward")
    trainer = begin(replace(recipe, estimator="reinforce"))
    rates = [float(train_update(trainer)["rollout/ep_rew_mean"]) for _ in range(150)]
    assert np.mean(rates[-10:]) > 0.6 > 0.45 > np.mean(rates[:10])


def test_what_is_drawn_depends_on_the_update_and_its_reward_is_all_that_is_learned_from(babi: EnvConfig) -> None:
    recipe = Recipe("toy", babi, READER, batch=32, answer_signal="reward", estimator="reinforce")
    trainer = begin(recipe)

    def drawn(update: int) -> Trajectory:
        noise = exploration_noise(trainer.agent, trainer.env, ("answer",), recipe.seed, update)
        return read(trainer, range(32), noise=noise)

    once, again, other = drawn(1), drawn(1), drawn(2)
    assert torch.equal(once.actions["answer"], again.actions["answer"])
    assert not torch.equal(once.actions["answer"], other.actions["answer"])
    hidden = once._replace(log_likelihood=torch.full_like(once.log_likelihood, math.nan))
    losses = [trajectory_loss(recipe, trainer.agent, trajectory)[0].detach() for trajectory in (once, hidden)]
    assert float(losses[0]) == float(losses[1])


def test_what_does_not_go_with_reading_is_refused(babi: EnvConfig) -> None:
    for changes, message in (
        ({"answer_weights": "later"}, "has no right answer for them"),
        ({"gaze": "random"}, "no scripted gaze 'random'; it has none"),
        ({"answer_signal": "reward"}, 'need "reinforce"'),
    ):
        with pytest.raises(ValueError, match=message):
            begin(replace(Recipe("toy", babi, READER, batch=2), **changes))  # type: ignore[arg-type]


def test_a_checkpoint_knows_its_words_and_refuses_others(babi: EnvConfig) -> None:
    trainer = begin(Recipe("toy", babi, READER, batch=4))
    saved = trainer.to_dict()
    assert saved["names"]["vocabulary"] == list(trainer.env.metadata["words"])
    trainer.restore(saved)
    names = {**saved["names"], "vocabulary": [*saved["names"]["vocabulary"][:-1], "other"]}
    with pytest.raises(
        ValueError, match=r"trained with other vocabulary than are found now \(lacking now: other; new:"
    ):
        trainer.restore({**saved, "names": names})


def test_a_memory_may_remember_nothing_or_be_unknown() -> None:
    env = gym.make("glimpse_env:Glimpse/Copy-v0", bits=3)
    control = make_agent(env, AgentConfig(core="none", memory="none"))
    seen = torch.rand(1, 1, 4)
    first, other = (control.evaluate_episodes({"bits": torch.cat([torch.rand(1, 1, 4), seen])}) for _ in range(2))
    assert torch.equal(first.params["answer"][1], other.params["answer"][1])
    with pytest.raises(ValueError, match="there is no memory 'paper'; there are none, episodic"):
        make_agent(env, AgentConfig(memory="paper"))


def test_what_an_environment_says_of_its_answers_is_checked() -> None:
    """Answers beyond `max_answers` would be left out; those that are not scored have no right answer."""
    trainer = begin(copier("none"))
    trainer.env.metadata = {**trainer.env.metadata, "max_answers": 1}
    with pytest.raises(ValueError, match="more answers of an episode are scored than the 1"):
        read(trainer, np.arange(8))
    recipe = replace(copier("none"), answer_weights="all")
    wrapped = gym.vector.VectorWrapper(make_env(recipe, "train", 8, CPU))
    with pytest.raises(ValueError, match="answers that are not scored"):
        Trainer.begin(recipe, wrapped, CPU)


def test_an_action_of_more_than_an_answer_is_stepped_and_learned() -> None:
    class Voting(gym.vector.VectorWrapper):
        """Takes a vote, too, and is no wrapper to those who ask."""

        def __init__(self, env: Any) -> None:
            super().__init__(env)
            self.single_action_space = gym.spaces.Dict({**env.single_action_space, "vote": gym.spaces.Discrete(2)})

        @property
        def unwrapped(self) -> Any:
            return self

        def __getattr__(self, name: str) -> Any:
            return getattr(self.env, name)

        def step(self, actions: Any) -> Any:
            return self.env.step({"answer": actions["answer"]})

    recipe = replace(copier("none"), estimator="reinforce")
    trainer = Trainer.begin(recipe, Voting(make_env(recipe, "train", 8, CPU)), CPU)
    assert not trainer.env.read_ahead
    before = trainer.agent.heads["vote"].linear.weight.clone()
    train_update(trainer)
    assert not torch.equal(before, trainer.agent.heads["vote"].linear.weight)
