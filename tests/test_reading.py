"""Episodes that are read: encoders, cores with memories, what counts as an answer, learning from target and reward."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

from agents import AgentConfig, AttentionAgent, Reading, evaluate_reading, read
from agents.options import format_options, parse_options
from agents.reading import answer_log_likelihood, bits_per_sequence
from agents.spaces import Form, form_of
from agents.words import Sentences, place_signs
from memory import MEMORIES
from runs.curriculum import Curriculum
from runs.environments import make_env
from runs.objective import answer_loss
from runs.recipe import EnvConfig, Recipe
from runs.trainer import Trainer, train_update

CPU = torch.device("cpu")
COPY = EnvConfig("Copy-v0", arguments=("bits=3", "max_length=4"))
READER = AgentConfig(width=16, core="none", memory="episodic", memory_options=("slots=9",))
OPTIONS = {
    "none": (),
    "episodic": ("slots=9", "width=16", "heads=2"),
    "hopfield": ("slots=9", "width=16"),
    "ntm": ("slots=6", "width=5"),
    "dnc": ("slots=6", "width=5", "reads=2"),
}


def copier(memory: str, core: str = "lstm", env: EnvConfig = COPY) -> Recipe:
    agent = AgentConfig(width=16, core=core, memory=memory, memory_options=OPTIONS[memory])
    return Recipe("toy", env, agent, batch=8, episodes=8000, lr=1e-2)


@pytest.fixture
def babi(babi_folder: str) -> EnvConfig:
    return EnvConfig("Babi-v0", arguments=(f"data={babi_folder}", "task=1"))


def test_half_of_a_bag_knows_no_order_and_half_does() -> None:
    torch.manual_seed(0)
    sentences = Sentences(9, 5, 64, "bag")
    first, swapped = sentences(torch.tensor([[3, 4, 5, 0, 0], [5, 4, 3, 0, 0]]))
    torch.testing.assert_close(first[:32], swapped[:32])
    assert torch.cosine_similarity(first[32:], swapped[32:], dim=0) < 0.7
    assert set(place_signs(5, 64)[:, 32:].unique().tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("encoder", ["bag", "attention"])
def test_a_sentence_is_its_words_in_order_and_padding_is_nothing(encoder: str) -> None:
    torch.manual_seed(0)
    sentences = Sentences(9, 5, 8, encoder).double()
    first, swapped = torch.tensor([[3, 4, 5, 0, 0]]), torch.tensor([[4, 3, 5, 0, 0]])
    assert not torch.allclose(sentences(first), sentences(swapped))
    with torch.no_grad():
        before = sentences(first)
        sentences.embedding.weight[7:] += 1.0  # words that do not occur
        torch.testing.assert_close(sentences(first), before)
    both = sentences(torch.stack([first, swapped]))
    torch.testing.assert_close(both[0], sentences(first))
    assert torch.isfinite(sentences(torch.zeros(2, 5, dtype=torch.int64))).all()


def test_the_map_of_attention_is_a_distribution_over_the_words() -> None:
    torch.manual_seed(0)
    sentences = Sentences(9, 5, 8, "attention")
    weights = sentences.attention(torch.tensor([[3, 4, 5, 0, 0]]))
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 5))
    assert not weights[..., 3:].any()
    with pytest.raises(ValueError, match="attention"):
        Sentences(9, 5, 8, "bag").attention(torch.tensor([[3, 4, 5, 0, 0]]))
    with pytest.raises(ValueError, match="encoder"):
        Sentences(9, 5, 8, "words")


def test_options_are_read_from_text_and_written_back() -> None:
    texts = ("slots=64", "rate=0.5", "gate=False", "time=age")
    options = parse_options(texts)
    assert options == {"slots": 64, "rate": 0.5, "gate": False, "time": "age"}
    assert format_options(options) == texts
    for wrong in ("slots", "=3", "slots="):
        with pytest.raises(ValueError, match="name=value"):
            parse_options([wrong])
    with pytest.raises(ValueError, match="twice"):
        parse_options(["a=1", "a=2"])


def test_the_form_of_each_kind_of_environment(babi: EnvConfig) -> None:
    env = gym.make("glimpse_env:Glimpse/Copy-v0", bits=3)
    form = form_of(env.observation_space, env.action_space)
    assert form == Form("bits", (4,), 3, bits=True)
    assert Form.from_dict(form.to_dict()) == form
    env = gym.make("glimpse_env:Glimpse/MQAR-v0", vocabulary=50, length=16, pairs=2)
    assert form_of(env.observation_space, env.action_space) == Form("text", (1,), 50, vocabulary=50)
    story = replace(babi, id="BabiGaze-v0")
    env = make_env(Recipe("story", story), "train", 2, CPU)
    form = form_of(env.single_observation_space, env.single_action_space)
    assert (form.kind, form.motion, form.answers) == ("story", 1, env.single_action_space["answer"].n)
    with pytest.raises(ValueError, match="'answer'"):
        form_of(env.single_observation_space, gym.spaces.Discrete(3))


@pytest.mark.parametrize("memory", MEMORIES)
def test_reading_at_once_is_reading_step_by_step(memory: str) -> None:
    torch.manual_seed(0)
    cores = ["lstm", "rnn"] if memory in ("none", "ntm", "dnc") else ["lstm", "rnn", "none"]
    for core in cores:
        recipe = copier(memory, core)
        agent = Trainer.begin(recipe, make_env(recipe, "train", 3, CPU), CPU).agent.double()
        bits = torch.rand(7, 3, 4, dtype=torch.float64)
        features, state = agent.unroll({"bits": bits}), agent.initial_state(3)
        for step, seen in enumerate(bits):
            decision = agent({"bits": seen}, state)
            torch.testing.assert_close(decision.features, features[step])
            state = decision.state


def test_without_a_core_something_must_remember() -> None:
    with pytest.raises(ValueError, match="remember nothing"):
        AttentionAgent(Form("bits", (4,), 3, bits=True), AgentConfig(core="none"))
    with pytest.raises(KeyError, match="choose one of"):
        AttentionAgent(Form("bits", (4,), 3, bits=True), AgentConfig(memory="paper"))


def test_the_answers_that_count_are_those_the_task_scores() -> None:
    recipe = copier("none")
    env = make_env(recipe, "train", 6, CPU)
    agent = Trainer.begin(recipe, env, CPU).agent
    reading = read(agent, env, np.arange(6), seed=3)
    lengths = reading.info["length"]
    assert len(set(lengths.tolist())) > 1
    assert torch.equal(torch.bincount(reading.row, minlength=6), lengths)
    single = gym.make("glimpse_env:Glimpse/Copy-v0", bits=3, max_length=4)
    for row in range(6):
        observation, info = single.reset(seed=3, options={"episode": row})
        shown = []
        for _ in range(info["length"]):
            shown.append(observation["bits"][:3])
            observation = single.step({"answer": np.zeros(3, np.int8)})[0]
        np.testing.assert_array_equal(reading.target[reading.row == row], shown)


def test_a_single_environment_is_read_like_a_row_of_a_vector() -> None:
    recipe = copier("dnc")
    env = make_env(recipe, "train", 6, CPU)
    agent = Trainer.begin(recipe, env, CPU).agent
    many = read(agent, env, np.arange(6), seed=3)
    for env in (
        gym.make("glimpse_env:Glimpse/Copy-v0", bits=3, max_length=4),
        gym.make_vec("glimpse_env:Glimpse/Copy-v0", num_envs=1, bits=3, max_length=4),
    ):
        one = read(agent, env, np.array([4]), seed=3)
        torch.testing.assert_close(one.logits, many.logits[many.row == 4])
        assert torch.equal(one.target.long(), many.target[many.row == 4].long())


def test_bits_per_sequence_are_summed_over_an_episode() -> None:
    recipe = copier("none")
    env = make_env(recipe, "train", 6, CPU)
    reading = read(Trainer.begin(recipe, env, CPU).agent, env, np.arange(6), seed=3)
    fair = reading._replace(log_likelihood=answer_log_likelihood(torch.zeros_like(reading.logits), reading.target))
    mean_length = float(reading.info["length"].double().mean())
    assert float(bits_per_sequence(fair, 6)) == pytest.approx(3 * mean_length, rel=1e-5)
    likely = answer_log_likelihood(torch.tensor([[0.0, math.log(3)]]), torch.tensor([1]))
    assert float(likely) == pytest.approx(math.log(0.75), rel=1e-5)


def test_an_evaluation_does_not_depend_on_the_width_of_the_vector(babi: EnvConfig) -> None:
    recipe = Recipe("toy", babi, READER)
    envs = [make_env(recipe, "test", width, CPU) for width in (10, 7)]
    agent = Trainer.begin(recipe, envs[0], CPU).agent
    first, second = (evaluate_reading(agent, env, np.arange(10)) for env in envs)
    assert first._replace(bits=0) == second._replace(bits=0)
    assert first.bits == pytest.approx(second.bits)
    assert first.error == first.error_by_task[1] == first.wrong_episodes
    with pytest.raises(ValueError, match="at least 1"):
        evaluate_reading(agent, envs[0], np.arange(0))


def test_a_pool_deals_out_every_episode_once_and_alike_lengths_together() -> None:
    recipe = replace(copier("none"), pool=4)
    env = make_env(recipe, "train", 8, CPU)
    curriculum = Curriculum.begin(recipe, env)
    batches = [curriculum.episodes(recipe, env, update) for update in range(4)]
    assert sorted(np.concatenate(batches)) == list(range(32))
    spreads = [
        np.ptp(read(Trainer.begin(recipe, env, CPU).agent, env, batch, seed=1).info["length"].numpy())
        for batch in batches
    ]
    assert max(spreads) <= 2
    again = Curriculum.begin(recipe, env)
    assert [tuple(batch) for batch in batches] == [tuple(again.episodes(recipe, env, update)) for update in range(4)]


class Tasks:
    """Episodes of tasks 1 and 2 in turn, of lengths 0 to 4."""

    numbers = torch.tensor([1, 2])
    backend = SimpleNamespace(asarray=torch.from_numpy, to_numpy=Tensor.numpy)

    def kinds(self, seeds: Tensor, episodes: Tensor) -> Tensor:
        return 1 + episodes % 2

    def lengths(self, seeds: Tensor, episodes: Tensor) -> Tensor:
        return episodes % 5


def test_more_is_read_of_what_goes_badly() -> None:
    env: Any = SimpleNamespace(unwrapped=SimpleNamespace(task=Tasks()), num_envs=50)
    recipe = Recipe(env=EnvConfig("Babi-v0"), batch=50, pool=20, choose=4)
    curriculum = Curriculum.begin(recipe, env)

    def share_of_task_2(pool: int) -> float:
        batches = [curriculum.episodes(recipe, env, 20 * pool + place) for place in range(20)]
        numbers = np.concatenate(batches)
        assert len(set(numbers)) == 1000
        assert set(numbers // 4000) == {pool}
        assert max(len(set(batch % 5)) for batch in batches) <= 2
        return float((numbers % 2).mean())

    assert share_of_task_2(0) == pytest.approx(0.5, abs=0.05)
    row, logits = torch.arange(100), torch.eye(2)[torch.arange(100) % 2]
    task = torch.tensor([1, 2]).repeat(50)
    for _ in range(20):  # task 1 is answered rightly, task 2 never
        curriculum.learn(Reading(logits, torch.zeros(100, dtype=torch.int64), row, torch.zeros(100), {"task": task}))
    torch.testing.assert_close(curriculum.error[1:], torch.tensor([0.0, 1.0]).double(), rtol=0, atol=0.02)
    assert 0.85 < share_of_task_2(1) < 1.0


def test_a_choice_needs_tasks_and_a_pool(babi: EnvConfig) -> None:
    for recipe in (
        replace(copier("none"), choose=2, pool=4),
        Recipe("toy", babi, READER, choose=2),
        Recipe("toy", babi, READER, choose=0, pool=4),
    ):
        with pytest.raises(ValueError, match="--choose"):
            Curriculum.begin(recipe, make_env(recipe, "train", 2, CPU))


def test_a_choice_resumed_within_a_pool_goes_on_exactly(babi: EnvConfig) -> None:
    recipe = Recipe(
        "toy",
        babi,
        READER,
        batch=8,
        pool=4,
        choose=2,
        episodes=80,
    )
    env = make_env(recipe, "train", 8, CPU)
    whole = Trainer.begin(recipe, env, CPU)
    for update in range(6):
        if update == 2:
            saved = deepcopy(whole.to_dict())
        train_update(whole, env, CPU)
    resumed = Trainer.begin(recipe, env, CPU)
    resumed.restore(saved)
    for _ in range(4):
        train_update(resumed, env, CPU)
    assert torch.equal(whole.curriculum.error, resumed.curriculum.error)
    for name, value in whole.agent.state_dict().items():
        assert torch.equal(value, resumed.agent.state_dict()[name]), name


@pytest.mark.parametrize("memory", ["episodic", "ntm", "dnc"])
def test_a_memory_learns_to_copy(memory: str) -> None:
    """A row of three bits to be given back a step later, within a hundred updates."""
    env = EnvConfig("Copy-v0", arguments=("bits=3", "min_length=1", "max_length=1"))
    recipe = replace(copier(memory, env=env), batch=32, episodes=32 * 150)
    env = make_env(recipe, "train", 32, CPU)
    trainer = Trainer.begin(recipe, env, CPU)
    for _ in range(150):
        scalars = train_update(trainer, env, CPU)
    assert float(scalars["rollout/success_rate"]) > 0.97


def test_answers_are_learned_from_reward_alone(babi: EnvConfig) -> None:
    agent = AgentConfig(width=16, core="none", memory="episodic", memory_options=("slots=9", "width=16", "hops=1"))
    recipe = Recipe("toy", babi, agent, batch=32, episodes=32 * 150, lr=1e-2, learn="reward")
    env = make_env(recipe, "train", 32, CPU)
    trainer = Trainer.begin(recipe, env, CPU)
    rates = [float(train_update(trainer, env, CPU)["rollout/ep_rew_mean"]) for _ in range(150)]
    assert np.mean(rates[-10:]) > 0.6 > 0.45 > np.mean(rates[:10])


def test_the_reward_loss_is_the_policy_gradient_of_the_drawn_answer(babi: EnvConfig) -> None:
    agent = AgentConfig(width=16, core="none", memory="episodic", memory_options=("slots=9", "width=16", "hops=1"))
    recipe = Recipe("toy", babi, agent, batch=32, learn="reward")
    env = make_env(recipe, "train", 32, CPU)
    reading = read(Trainer.begin(recipe, env, CPU).agent, env, np.arange(32), seed=1)
    losses = [answer_loss(recipe, reading, torch.Generator().manual_seed(seed))[0].detach() for seed in (1, 1, 2)]
    assert float(losses[0]) == float(losses[1]) != float(losses[2])
    hidden = reading._replace(log_likelihood=torch.full_like(reading.log_likelihood, math.nan))
    loss, _ = answer_loss(recipe, hidden, torch.Generator().manual_seed(1))
    assert float(loss.detach()) == float(losses[0])  # the target's own likelihood is not looked at


def test_only_next_step_environments_are_read() -> None:
    recipe = copier("none")
    agent = Trainer.begin(recipe, make_env(recipe, "train", 2, CPU), CPU).agent
    for mode in ("SameStep", "Disabled"):
        env = gym.make_vec("glimpse_env:Glimpse/Copy-v0", 2, bits=3, max_length=4, autoreset_mode=mode)
        with pytest.raises(ValueError, match="NextStep"):
            read(agent, env, np.arange(2), seed=3)


def test_a_gaze_is_not_learned_from_the_answers_reward(babi: EnvConfig) -> None:
    recipe = Recipe("toy", replace(babi, id="BabiGaze-v0"), learn="reward")
    with pytest.raises(ValueError, match="a gaze learns from reward anyway"):
        Trainer.begin(recipe, make_env(recipe, "train", 2, CPU), CPU)


def test_a_checkpoint_knows_its_words_and_refuses_others(babi: EnvConfig) -> None:
    recipe = Recipe("toy", babi, AgentConfig(width=16, core="none", memory="hopfield"), batch=4)
    trainer = Trainer.begin(recipe, make_env(recipe, "train", 4, CPU), CPU)
    saved = trainer.to_dict()
    assert saved["words"]["vocabulary"][-1] in trainer.words["vocabulary"]
    trainer.restore(saved)
    with pytest.raises(ValueError, match="other words"):
        trainer.restore({**saved, "words": {"vocabulary": ["other"], "answers": []}})


def test_shares_with_unlike_numbers_of_answers_make_the_gradient_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = copier("none")
    env = make_env(recipe, "train", 3, CPU)
    agent = Trainer.begin(recipe, env, CPU).agent
    readings = [read(agent, env, np.arange(first, first + 3), seed=1) for first in (0, 3)]
    counts = [reading.target.numel() for reading in readings]
    assert counts[0] != counts[1]
    monkeypatch.setattr("runs.objective.all_mean", lambda value: torch.tensor(sum(counts) / 2))
    shares = [answer_loss(recipe, reading, torch.Generator())[0] for reading in readings]
    whole = -sum(reading.log_likelihood.sum() for reading in readings) / sum(counts)
    torch.testing.assert_close(sum(shares) / 2, whole)
