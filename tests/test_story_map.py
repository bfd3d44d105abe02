"""The map of a hidden story: what is entered where, what is inferred between, and the agent that reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from agents import AgentConfig, BatchedEnv, StoryMapAgent, StoryMapConfig, Trajectory, collect, make_agent
from agents.loading import agent_from_dict, agent_to_dict
from agents.story_map.map import InferredStory
from agents.training.exploration import exploration_noise
from glimpse_env import GlimpseVectorEnv
from runs.traces.trace import record_traces

CPU = torch.device("cpu")
WIDTH, LINES = 16, 6
CONFIG = StoryMapConfig(width=WIDTH, memory_options=("slots=7", "width=16", "heads=2"), map_lines=LINES)


def make_env(folder: str, count: int = 5, **kwargs: Any) -> GlimpseVectorEnv:
    given = {"task": 1, "data": folder, "num_glimpses": 3, "backend": "torch", "autoreset_mode": "Disabled"}
    return GlimpseVectorEnv("BabiGaze-v0", count, **{**given, **kwargs})


@pytest.fixture
def env(babi_folder: str) -> GlimpseVectorEnv:
    return make_env(babi_folder)


@pytest.fixture(autouse=True)
def few_are_surveyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.story_map.agent.SURVEYED", 40)


def make(env: GlimpseVectorEnv, **changes: Any) -> StoryMapAgent:
    torch.manual_seed(0)
    agent = make_agent(env, replace(CONFIG, **changes))
    assert isinstance(agent, StoryMapAgent)
    agent.prepare(BatchedEnv(env, CPU), 0)
    with torch.no_grad():  # the place and the certainty of a line count from the first
        for parameter in (agent.encoders.place.weight, agent.encoders.certainty.weight):
            parameter.normal_()
    return agent.eval()


def observed(env: GlimpseVectorEnv, locations: list[float]) -> list[dict[str, Tensor]]:
    """The first observation of the first episodes, and those at these locations."""
    observation, _ = env.reset(seed=[0] * env.num_envs, options={"episode": np.arange(env.num_envs)})
    every = [observation]
    for location in locations:
        action = {"location": torch.full((env.num_envs, 1), location), "answer": torch.zeros(env.num_envs).long()}
        every.append(env.step(action)[0])
    return [{key: value.clone() for key, value in one.items()} for one in every]


def inferred(agent: StoryMapAgent, glimpses: list[dict[str, Tensor]]) -> InferredStory:
    state = agent.encoders.initial_state(len(glimpses[0]["lines"]))
    for glimpse in glimpses:
        state = agent.encoders.add(glimpse, state)
    return agent.encoders(state)


def play(agent: StoryMapAgent, env: GlimpseVectorEnv, std: float = 0.5, **given: Any) -> Trajectory:
    batched = BatchedEnv(env, CPU)
    noise = exploration_noise(agent, batched, ("location",), 0, 0) if std else None
    return collect(agent, batched, np.arange(env.num_envs), seed=3, noise=noise, std=std, given=given)


def test_the_known_sentences_are_those_that_random_glimpses_show(env: GlimpseVectorEnv) -> None:
    known = make(env).encoders
    places, found = env.scripted_gaze("random", 0, np.arange(40)), []
    for first in range(0, 40, 5):
        observation, _ = env.reset(seed=[0] * 5, options={"episode": np.arange(first, first + 5)})
        found.append(observation["tokens"].clone())
        for place in places:
            action = {"location": torch.as_tensor(place[first : first + 5]), "answer": torch.zeros(5).long()}
            found.append(env.step(action)[0]["tokens"].clone())
    rows, counts = torch.unique(torch.cat(found), dim=0, return_counts=True)
    assert int(known.count.sum()) == int(counts.sum()) == 40 * 3
    for row, count in zip(known.known[known.count > 0], known.count[known.count > 0], strict=True):
        assert counts[(rows == row).all(1)].tolist() == [int(count)]


def test_the_order_of_glimpses_does_not_matter(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    first, *others = observed(env, [-1.0, 0.2])
    story = inferred(agent, [first, *others]).story
    torch.testing.assert_close(inferred(agent, [first, *others[::-1]]).story, story)
    assert not torch.allclose(inferred(agent, [first, others[0]]).story, story)


@pytest.mark.parametrize("encoder", ["bag", "attention"])
def test_a_line_that_was_seen_is_itself_whatever_is_known(env: GlimpseVectorEnv, encoder: Any) -> None:
    agent = make(env, encoder=encoder)
    glimpses = observed(env, [])
    for some in (True, False):
        if not some:
            agent.encoders.set_known(torch.zeros(0, env.unwrapped.task.width, dtype=torch.int64))
        story, near, *_ = inferred(agent, glimpses)
        assert story.shape == (LINES + 1, 5, WIDTH)
        assert torch.isfinite(story).all()
        assert torch.isfinite(near).all()
        line = agent.encoders.sentences(glimpses[0]["tokens"]) + agent.encoders.place.weight[0]
        line = line + agent.encoders.certainty(torch.tensor([1.0, 0.0]))
        torch.testing.assert_close(story[LINES - 1], line)
        torch.testing.assert_close(story[LINES], agent.encoders.sentences(glimpses[0]["question"]))
    decision = agent(glimpses[0], agent.initial_state(5))  # nothing known is nothing inferred
    assert torch.isfinite(decision.params["answer"]).all()


def test_the_line_before_the_last_is_inferred_from_the_blurred_words(babi_folder: str) -> None:
    """Of the two lines within reach one was seen: what it does not explain, the other says."""
    env = make_env(babi_folder, 30)
    agent, task = make(env), env.unwrapped.task
    story = task.story(torch.zeros(30, dtype=torch.int64), torch.arange(30))
    assert story is not None
    count, rows = story.count, torch.arange(30)
    last, before = (story.tokens[rows, (count - back).clamp(min=0)] for back in (1, 2))
    differ = (last != before).sum(1) == 2  # who and where
    clear = ((count > 1) & differ).nonzero()[:, 0]
    assert len(clear) > 5
    found = inferred(agent, observed(env, [])).story[LINES - 2]
    line = agent.encoders.sentences(before) + agent.encoders.place.weight[1] + agent.encoders.certainty.bias
    torch.testing.assert_close(found[clear], line[clear], rtol=0, atol=0.1)


@pytest.mark.parametrize("gaze", ["drawn", "given"])
def test_all_at_once_is_step_by_step(env: GlimpseVectorEnv, gaze: str) -> None:
    agent = make(env)
    given = {"location": torch.linspace(-1, 0.5, 10).view(2, 5, 1)} if gaze == "given" else {}
    with torch.no_grad():
        stepwise = play(agent, env, 0.0 if given else 0.5, **given)
    at_once = play(agent, env, 0.0 if given else 0.5, **given)
    torch.testing.assert_close(at_once.params, stepwise.params)
    torch.testing.assert_close(at_once.log_likelihood, stepwise.log_likelihood)
    torch.testing.assert_close(at_once.log_prob, stepwise.log_prob)
    torch.testing.assert_close(at_once.value, stepwise.value)
    assert bool(at_once.log_prob) == (gaze == "drawn")
    assert at_once.params["answer"].requires_grad


def test_the_gaze_trains_the_reader_in_nothing(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    trajectory = play(agent, env)
    own = {id(parameter) for parameter in agent.policy_parameters()}
    log_prob = trajectory.log_prob["location"].sum()
    gradients = torch.autograd.grad(log_prob, list(agent.parameters()), allow_unused=True)
    for parameter, gradient in zip(agent.parameters(), gradients, strict=True):
        assert id(parameter) in own or gradient is None
    assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)
    embedding = agent.encoders.sentences.embedding.weight
    answers = trajectory.params["answer"]
    last, earlier = (
        torch.autograd.grad(part.sum(), [embedding], retain_graph=True)[0] for part in (answers[-1], answers[:-1])
    )
    assert last.any()
    assert not earlier.any()  # the last answer rests on all that was seen


def test_the_gaze_begins_with_what_matters_most(env: GlimpseVectorEnv) -> None:
    """By the variance of the answers over what a line may be, one line at a time, to first order."""
    agent = make(env)
    (glimpse,) = observed(env, [])
    state = agent.encoders.add(glimpse, agent.encoders.initial_state(5))
    found = inferred(agent, [glimpse])
    story = found.story.detach().requires_grad_()
    logits = agent.heads["answer"].linear(agent._read(story))
    chance, rank = logits.detach().softmax(-1).sort(descending=True)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0])
    number = ((logits.gather(1, rank) * chance.sqrt()) @ signs).sum()
    (slope,) = torch.autograd.grad(number, story)
    variance = torch.zeros(5, LINES)
    for row in range(5):
        for line in range(LINES):
            belief = found.belief[row, line]
            if belief.sum() > 0:
                moved = found.sentences @ slope[LINES - 1 - line, row]
                variance[row, line] = (belief * (moved - belief @ moved) ** 2).sum()
    torch.testing.assert_close(found.stakes(slope), variance, rtol=1e-3, atol=1e-5)
    assert (found.belief[:, 0] == 0).all()  # the last line was seen
    with torch.inference_mode():  # its own gradient is taken in any mode
        decision = agent(glimpse, agent.initial_state(5))
    steps = (decision.params["location"] - glimpse["location"]) / (2 / glimpse["lines"])
    torch.testing.assert_close(steps[:, 0], (state["after"][:, -1] - variance.argmax(1)).float(), rtol=0, atol=1e-4)


def test_a_line_seen_twice_is_trained_once(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    (glimpse,) = observed(env, [])
    words = agent.encoders.sentences.embedding.weight
    once, twice = (torch.autograd.grad(inferred(agent, [glimpse] * n).story.square().sum(), words)[0] for n in (1, 2))
    torch.testing.assert_close(twice, once)
    assert once.abs().sum() > 0


def test_one_glimpse_is_enough(babi_folder: str) -> None:
    env = make_env(babi_folder, num_glimpses=1)
    answer = play(make(env), env, 0.0).params["answer"]
    assert answer.shape[:2] == (1, 5)
    assert answer.requires_grad


def test_lines_beyond_the_map_are_left_out(babi_folder: str) -> None:
    env = make_env(babi_folder, 30)
    agent = make(env, map_lines=1, memory_options=("slots=2", "width=16", "heads=2"))
    first, far = observed(env, [-1.0])
    torch.testing.assert_close(inferred(agent, [first, far]).story, inferred(agent, [first]).story)
    state = agent.encoders.add(far, agent.encoders.add(first, agent.encoders.initial_state(30)))
    assert (state["after"][:, 1] > 0).any()
    slots = agent.encoders.glimpse_of_line(state, 2)
    assert torch.equal(slots, torch.stack([(state["after"][:, 1] == 0).long(), torch.full((30,), -1)], 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memory_options": ("slots=6", "width=16", "heads=2")}, "slots=7 or more"),
        ({"memory": "hopfield", "memory_options": ("slots=6", "width=16")}, "slots=7 or more"),
        ({"memory": "ntm", "memory_options": ("slots=9", "width=5")}, "keeps each step in a slot"),
        ({"map_lines": 0}, "must be at least 1"),
        ({"core": "rnn"}, 'core="none"'),
        ({"saccades": "absolute"}, "relative saccades"),
        ({"asks": ("question",)}, "no `asks`"),
    ],
)
def test_what_does_not_go_with_a_map_is_refused(env: GlimpseVectorEnv, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_agent(env, replace(CONFIG, **changes))


def test_a_map_is_of_hidden_stories_alone() -> None:
    copy = GlimpseVectorEnv("Copy-v0", 2)
    with pytest.raises(ValueError, match="a hidden text is observed as question, tokens"):
        make_agent(copy, CONFIG)


def test_it_survives_a_file(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    other = agent_from_dict({"agent": agent_to_dict(agent)}, "memory")
    assert isinstance(other, StoryMapAgent)
    glimpses = observed(env, [0.3])
    torch.testing.assert_close(inferred(other, glimpses), inferred(agent, glimpses))


def test_what_is_watched_is_over_the_lines_and_the_glimpses_that_show_them(babi_folder: str) -> None:
    env = make_env(babi_folder, 1)
    agent = make(env)
    (trace,) = record_traces(agent, env, np.array([4]), seed=0)
    assert trace.read is not None
    assert trace.step is not None
    assert trace.recalled is not None
    assert trace.line_numbers is not None
    assert trace.write is None
    assert trace.read.shape == (3, 3, LINES + 1)  # glimpses, hops, lines and the question
    np.testing.assert_allclose(trace.read.sum(-1), 1, rtol=1e-5)
    story = env.unwrapped.task.story(torch.zeros(1, dtype=torch.int64), torch.tensor([4]))
    assert story is not None
    for glimpse, line in enumerate(trace.line_numbers):
        slot = LINES - 1 - (int(story.count) - line)
        latest = max(at for at, other in enumerate(trace.line_numbers) if other == line)
        assert trace.step[slot] == latest
        np.testing.assert_array_equal(trace.recalled[:, latest], trace.read[-1, :, slot])
        assert glimpse <= latest


def test_other_agents_see_a_hidden_story_too(env: GlimpseVectorEnv) -> None:
    agent = make_agent(env, AgentConfig(width=WIDTH, where_stream=8))
    trajectory = play(agent, env)  # type: ignore[arg-type]
    assert trajectory.params["location"].shape == (3, 5, 1)
