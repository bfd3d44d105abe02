"""The map of a hidden story: what is drawn where, what is imagined between, and the agent that reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from agents import AgentConfig, make_agent, play
from agents.imagining import ImaginingAgent
from agents.loading import agent_from_dict, agent_to_dict
from agents.story_map import Imagined
from glimpse_env import GlimpseVectorEnv
from runs.places import fixed_places, told_lines
from runs.recording.recollections import recollect

WIDTH, LINES = 16, 6
CONFIG = AgentConfig(
    width=WIDTH, core="none", memory="episodic", memory_options=("slots=7", "width=16", "heads=2"), imagine=LINES
)


def make_env(folder: str, count: int = 5, **kwargs: Any) -> GlimpseVectorEnv:
    given = {"task": 1, "data": folder, "num_glimpses": 3, "backend": "torch", "autoreset_mode": "Disabled"}
    return GlimpseVectorEnv("BabiGaze-v0", count, **{**given, **kwargs})


@pytest.fixture
def env(babi_folder: str) -> GlimpseVectorEnv:
    return make_env(babi_folder)


def make(env: GlimpseVectorEnv, **changes: Any) -> ImaginingAgent:
    torch.manual_seed(0)
    agent = make_agent(env.single_observation_space, env.single_action_space, replace(CONFIG, **changes))
    assert isinstance(agent, ImaginingAgent)
    agent.sense.learn(told_lines(env, 0, torch.device("cpu"), 40))
    with torch.no_grad():  # the place and the certainty of a line count from the first
        for parameter in (agent.sense.place.weight, agent.sense.certainty.weight):
            parameter.normal_()
    return agent.eval()


def observed(env: GlimpseVectorEnv, locations: list[float]) -> list[dict[str, Tensor]]:
    """The first observation of five episodes, and those at these locations."""
    observation, _ = env.reset(seed=[0] * env.num_envs, options={"episode": np.arange(env.num_envs)})
    every = [observation]
    for location in locations:
        action = {"location": torch.full((env.num_envs, 1), location), "answer": torch.zeros(env.num_envs).long()}
        every.append(env.step(action)[0])
    return [{key: value.clone() for key, value in one.items()} for one in every]


def imagined(agent: ImaginingAgent, glimpses: list[dict[str, Tensor]]) -> Imagined:
    state = agent.sense.initial_state(len(glimpses[0]["lines"]))
    for glimpse in glimpses:
        state = agent.sense.look(glimpse, state)
    return agent.sense(state)


def test_the_known_sentences_are_those_found(env: GlimpseVectorEnv) -> None:
    sense = make(env).sense
    found = told_lines(env, 0, torch.device("cpu"), 40)
    assert len(found) == 40 * 3
    rows, counts = torch.unique(found, dim=0, return_counts=True)
    assert int(sense.count.sum()) == 120
    for row, count in zip(sense.known[sense.count > 0], sense.count[sense.count > 0], strict=True):
        assert counts[(rows == row).all(1)].tolist() == [int(count)]


def test_the_order_of_looking_does_not_matter(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    first, *others = observed(env, [-1.0, 0.2])
    story = imagined(agent, [first, *others]).story
    torch.testing.assert_close(imagined(agent, [first, *others[::-1]]).story, story)
    assert not torch.allclose(imagined(agent, [first, others[0]]).story, story)


def test_a_line_looked_at_is_itself_whatever_is_known(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    glimpses = observed(env, [])
    for taught in (True, False):
        if not taught:
            agent.sense.learn(torch.zeros(0, env.unwrapped.task.width, dtype=torch.int64))
        story, near, *_ = imagined(agent, glimpses)
        assert story.shape == (LINES + 1, 5, WIDTH)
        assert torch.isfinite(story).all()
        assert torch.isfinite(near).all()
        line = agent.sense.sentences(glimpses[0]["tokens"]) + agent.sense.place.weight[0]
        line = line + agent.sense.certainty(torch.tensor([1.0, 0.0]))
        torch.testing.assert_close(story[LINES - 1], line)
        torch.testing.assert_close(story[LINES], agent.sense.sentences(glimpses[0]["question"]))


def test_the_line_before_the_last_is_told_by_the_blur(babi_folder: str) -> None:
    """Of the two lines within reach one was looked at: what it does not explain, the other says."""
    env = make_env(babi_folder, 30)
    agent, task = make(env), env.unwrapped.task
    index = task.pick(torch.zeros(30, dtype=torch.int64), torch.arange(30))
    count = task.counts[index]
    last, before = (task.words({}, task.told(index, (count - back).clamp(min=0)[:, None])) for back in (1, 2))
    differ = (last != before).sum(1) == 2  # who and where
    rows = ((count > 1) & differ).nonzero()[:, 0]
    assert len(rows) > 5
    story = imagined(agent, observed(env, [])).story[LINES - 2]
    line = agent.sense.sentences(before) + agent.sense.place.weight[1] + agent.sense.certainty.bias
    torch.testing.assert_close(story[rows], line[rows], rtol=0, atol=0.1)


def test_all_at_once_is_step_by_step(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    noise = torch.randn(2, 5, 1)
    with torch.no_grad():
        stepwise = play(agent, env, np.arange(5), seed=3, std=0.5, noise=noise)
    at_once = play(agent, env, np.arange(5), seed=3, std=0.5, noise=noise)
    for name in ("answer", "location", "log_prob", "value", "log_likelihood"):
        torch.testing.assert_close(getattr(at_once, name), getattr(stepwise, name))
    assert at_once.log_prob.requires_grad


def test_given_places_ask_for_the_last_answer_alone(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    places = torch.linspace(-1, 0.5, 10).view(2, 5, 1)
    with torch.no_grad():
        stepwise = play(agent, env, np.arange(5), seed=3, places=places)
    at_once = play(agent, env, np.arange(5), seed=3, places=places)
    torch.testing.assert_close(at_once.answer[-1], stepwise.answer[-1])
    torch.testing.assert_close(at_once.location, stepwise.location)
    assert (at_once.answer[:-1] == 0).all()


def test_the_gaze_teaches_the_reader_nothing(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    rollout = play(agent, env, np.arange(5), seed=3, std=0.5, noise=torch.randn(2, 5, 1))
    own = {id(parameter) for parameter in agent.gaze_parameters()}
    gradients = torch.autograd.grad(rollout.log_prob.sum(), list(agent.parameters()), allow_unused=True)
    for parameter, gradient in zip(agent.parameters(), gradients, strict=True):
        assert id(parameter) in own or gradient is None
    assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)
    (words,) = torch.autograd.grad(rollout.answer[-1].sum(), [agent.sense.sentences.embedding.weight])
    assert words.abs().sum() > 0


def test_the_gaze_begins_with_what_matters_most(env: GlimpseVectorEnv) -> None:
    """By the variance of the answers over what a line may be, one line at a time, to first order."""
    agent = make(env)
    (glimpse,) = observed(env, [])
    state = agent.sense.look(glimpse, agent.sense.initial_state(5))
    dream = imagined(agent, [glimpse])
    story = dream.story.detach().requires_grad_()
    logits = agent.answer(agent._read(story))
    chance, rank = logits.detach().softmax(-1).sort(descending=True)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0])
    number = ((logits.gather(1, rank) * chance.sqrt()) @ signs).sum()
    (slope,) = torch.autograd.grad(number, story)
    variance = torch.zeros(5, LINES)
    for row in range(5):
        for line in range(LINES):
            belief = dream.belief[row, line]
            if belief.sum() > 0:
                moved = dream.sentences @ slope[LINES - 1 - line, row]
                variance[row, line] = (belief * (moved - belief @ moved) ** 2).sum()
    torch.testing.assert_close(dream.stakes(slope), variance, rtol=1e-3, atol=1e-5)
    assert (dream.belief[:, 0] == 0).all()  # the last line was looked at
    decision = agent(glimpse, agent.initial_state(5))
    steps = (decision.location - glimpse["location"]) / (2 / glimpse["lines"])
    torch.testing.assert_close(steps[:, 0], (state["after"][:, -1] - variance.argmax(1)).float(), rtol=0, atol=1e-4)


def test_the_weights_are_over_the_lines(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    state = agent.initial_state(5)
    for glimpse in observed(env, [0.0]):
        state = agent(glimpse, state).state
    weights = agent.weights(state)
    assert weights["read"].shape == (5, 3, LINES + 1)
    torch.testing.assert_close(weights["read"].sum(-1), torch.ones(5, 3))


def test_a_line_seen_twice_teaches_once(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    (glimpse,) = observed(env, [])
    words = agent.sense.sentences.embedding.weight
    once, twice = (torch.autograd.grad(imagined(agent, [glimpse] * n).story.square().sum(), words)[0] for n in (1, 2))
    torch.testing.assert_close(twice, once)
    assert once.abs().sum() > 0


@pytest.mark.parametrize("encoder", ["bag", "attention"])
def test_nothing_known_is_nothing_imagined(env: GlimpseVectorEnv, encoder: Any) -> None:
    agent = make(env, encoder=encoder)
    agent.sense.learn(torch.zeros(0, env.unwrapped.task.width, dtype=torch.int64))
    decision = agent(observed(env, [])[0], agent.initial_state(5))
    assert torch.isfinite(decision.answer).all()


def test_one_glimpse_is_enough(babi_folder: str) -> None:
    env = make_env(babi_folder, num_glimpses=1)
    rollout = play(make(env), env, np.arange(5), seed=0)
    assert rollout.answer.shape[:2] == (1, 5)
    assert rollout.answer.requires_grad


def test_lines_beyond_the_map_are_left_out(babi_folder: str) -> None:
    env = make_env(babi_folder, 30)
    agent = make(env, imagine=1, memory_options=("slots=2", "width=16", "heads=2"))
    first, far = observed(env, [-1.0])
    torch.testing.assert_close(imagined(agent, [first, far]).story, imagined(agent, [first]).story)
    state = agent.sense.look(far, agent.sense.look(first, agent.sense.initial_state(30)))
    assert (agent.sense.slots(state)[:, 1] < 0).any()


def test_it_looks_in_inference_mode_too(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    (glimpse,) = observed(env, [])
    with torch.inference_mode():
        location = agent(glimpse, agent.initial_state(5)).location
    torch.testing.assert_close(location, agent(glimpse, agent.initial_state(5)).location.detach())


def test_a_map_needs_a_memory_that_holds_it(env: GlimpseVectorEnv) -> None:
    for changes, message in (
        ({"memory_options": ("slots=6", "width=16", "heads=2")}, "slots=7 or more"),
        ({"memory": "hopfield", "memory_options": ()}, "needs memory episodic"),
        ({"imagine": -3}, "must be 0"),
    ):
        with pytest.raises(ValueError, match=message):
            make_agent(env.single_observation_space, env.single_action_space, replace(CONFIG, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("gaze", "back"), [("last", 1), ("scan", 2)])
def test_controls_go_back_line_by_line(env: GlimpseVectorEnv, gaze: str, back: int) -> None:
    task = env.unwrapped.task
    count = task.counts[task.pick(torch.zeros(5, dtype=torch.int64), torch.arange(5))]
    places = fixed_places(gaze, 0, env, np.arange(5), torch.device("cpu"))
    for step, location in enumerate(places, 1):
        expected = (count - 1 - back * step).clamp(min=0)
        assert task.line_at(location[:, 0], count).tolist() == expected.tolist()


def test_it_survives_a_file(env: GlimpseVectorEnv) -> None:
    agent = make(env)
    other = agent_from_dict({"agent": agent_to_dict(agent)}, "memory")
    glimpses = observed(env, [0.3])
    torch.testing.assert_close(imagined(other, glimpses), imagined(agent, glimpses))


@pytest.mark.parametrize(
    "changes",
    [{"core": "rnn"}, {"core": "lstm", "memory": "none", "memory_options": ()}, {"saccades": "absolute"}],
)
def test_other_agents_do_not_imagine(env: GlimpseVectorEnv, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="hidden stories"):
        make_agent(env.single_observation_space, env.single_action_space, replace(CONFIG, **changes))


def test_what_was_recalled_of_a_glimpse_is_what_was_read_at_its_line(babi_folder: str) -> None:
    env = make_env(babi_folder, 1)
    agent = make(env)
    memory = recollect(agent, env, 4, seed=0)
    assert memory.recalled is not None
    assert memory.read is not None
    assert memory.places is not None
    assert memory.recalled.shape == (3, 3)  # hops, glimpses
    count = env.unwrapped.task.counts[env.unwrapped.task.pick(torch.zeros(1).long(), torch.tensor([4]))]
    for glimpse, line in enumerate(memory.places):
        np.testing.assert_array_equal(memory.recalled[:, glimpse], memory.read[-1, :, LINES - 1 - (int(count) - line)])
    assert memory.read.shape == (3, 3, LINES + 1)
    assert memory.write is None
