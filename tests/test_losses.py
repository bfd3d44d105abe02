"""The losses, against hand values and the score-function identity; and what learns from what in the agent."""

from __future__ import annotations

import math

import pytest
import torch

from agents import AgentConfig, AttentionAgent, losses
from agents.spaces import Form

SHAPE = (2, 1, 5, 5)
FORM = Form("image", SHAPE, 3, motion=2)


def test_gaussian_log_prob_is_torchs():
    torch.manual_seed(0)
    mean, sample = torch.randn(7, 2), torch.randn(7, 2)
    expected = torch.distributions.Normal(mean, 0.3).log_prob(sample).sum(-1)
    constant = 2 * (0.5 * math.log(2 * math.pi) + math.log(0.3))
    torch.testing.assert_close(losses.gaussian_log_prob(sample, mean, 0.3) - constant, expected)


def test_gaussian_log_prob_trains_the_mean_and_not_the_sample():
    mean = torch.zeros(1, 2, requires_grad=True)
    sample = torch.tensor([[0.3, -0.1]], requires_grad=True)
    losses.gaussian_log_prob(sample, mean, 0.1).sum().backward()
    torch.testing.assert_close(mean.grad, torch.tensor([[30.0, -10.0]]))  # (sample - mean) / std²
    assert sample.grad is None


def test_log_likelihood_by_hand():
    logits = torch.log(torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], [[0.2, 0.2, 0.6], [0.3, 0.3, 0.4]]]))
    expected = torch.log(torch.tensor([[0.25, 0.8], [0.2, 0.3]]))
    torch.testing.assert_close(losses.log_likelihood(logits, torch.tensor([1, 1])), expected)


def test_returns_by_hand():
    rewards = torch.tensor([[1.0], [2.0], [4.0]])
    torch.testing.assert_close(losses.returns(rewards, 0.5), torch.tensor([[3.0], [4.0], [4.0]]))
    torch.testing.assert_close(losses.returns(rewards), torch.tensor([[7.0], [6.0], [4.0]]))


def test_reinforce_is_the_gradient_of_the_expected_return():
    """E over samples of the score-function gradient is the gradient of E[f(mean + std noise)]; f(x) = -|x - a|²."""
    torch.manual_seed(0)
    aim, std, n = torch.tensor([0.4, -0.2]), 0.3, 400_000
    mean = torch.zeros(2, requires_grad=True)
    sample = (mean.detach() + std * torch.randn(1, n, 2)).detach()
    reward = -((sample - aim) ** 2).sum(-1)
    log_prob = losses.gaussian_log_prob(sample, mean.expand(1, n, 2), std)
    losses.reinforce(log_prob, reward - reward.mean()).backward()
    torch.testing.assert_close(-mean.grad, 2 * aim, atol=0.02, rtol=0)


def test_no_gradient_passes_through_the_advantage():
    log_prob = torch.zeros(3, 4, requires_grad=True)
    value = torch.zeros(3, 4, requires_grad=True)
    losses.reinforce(log_prob, 1 - value).backward()
    assert value.grad is None
    assert log_prob.grad is not None


def test_the_baseline_regresses_on_the_return_alone():
    value, target = torch.ones(2, 2, requires_grad=True), torch.zeros(2, 2, requires_grad=True)
    loss = losses.baseline(value, target)
    loss.backward()
    assert loss.item() == 1.0
    assert target.grad is None


def test_hybrid_adds_its_parts():
    loss = losses.hybrid(torch.tensor([-1.0, -3.0]), torch.tensor(0.5), torch.tensor(4.0), value_weight=0.25)
    assert float(loss) == pytest.approx(2.0 + 0.5 + 1.0)


CONFIGS = pytest.mark.parametrize("config", [AgentConfig(width=8, where_stream=6), AgentConfig.paper()])


def decide(config: AgentConfig) -> tuple[AttentionAgent, torch.Tensor, torch.Tensor]:
    """An agent, and the answer and location of its second glimpse."""
    torch.manual_seed(1)
    agent = AttentionAgent(FORM, config)
    for parameter in agent.gaze_parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    state = agent.initial_state(4)
    for _ in range(2):
        decision = agent({"glimpse": torch.rand(4, *SHAPE), "location": torch.rand(4, 2)}, state)
        state = decision.state
    return agent, decision.answer, decision.location


def trained(agent: AttentionAgent) -> set[str]:
    return {name.partition(".")[0] for name, p in agent.named_parameters() if p.grad is not None and p.grad.any()}


@CONFIGS
def test_the_policy_gradient_trains_the_gaze_and_nothing_else(config: AgentConfig):
    agent, _, location = decide(config)
    losses.reinforce(losses.gaussian_log_prob(torch.zeros(4, 2), location, 0.1), torch.randn(4)).backward()
    assert trained(agent) == {"gaze"}


@CONFIGS
def test_the_answer_trains_what_sees_and_remembers_and_not_the_gaze(config: AgentConfig):
    agent, answer, _ = decide(config)
    (-losses.log_likelihood(answer[None], torch.tensor([0, 1, 2, 0]))).mean().backward()
    assert trained(agent) == {"sense", "core", "answer"}


@CONFIGS
def test_the_baseline_trains_itself_alone(config: AgentConfig):
    torch.manual_seed(0)
    agent = AttentionAgent(FORM, config)
    torch.nn.init.normal_(agent.baseline.value.weight)
    core = torch.rand(4, config.width, requires_grad=True)
    known = torch.rand(4, requires_grad=True)
    value = agent.baseline(core, torch.zeros(4, 2), torch.tensor([0, 1, 2, 0]), known)
    losses.baseline(value, torch.ones(4)).backward()
    assert trained(agent) == {"baseline"}
    assert core.grad is None
    assert known.grad is None


def test_only_the_privileged_baseline_knows_the_truth():
    torch.manual_seed(0)
    core, location, known = torch.rand(2, 8), torch.zeros(2, 2), torch.tensor([-0.1, -0.1])
    for privileged in (True, False):
        agent = AttentionAgent(FORM, AgentConfig(width=8, privileged_baseline=privileged))
        torch.nn.init.normal_(agent.baseline.value.weight)
        first, second = (agent.baseline(core, location, torch.tensor(t), known) for t in ([0, 1], [2, 2]))
        assert torch.equal(first, second) != privileged


def test_relative_saccades_start_from_the_present_fixation():
    agent = AttentionAgent(FORM, AgentConfig(width=8))
    location = torch.tensor([[0.25, -0.5]])
    decision = agent({"glimpse": torch.rand(1, *SHAPE), "location": location}, agent.initial_state(1))
    torch.testing.assert_close(decision.location, location)  # a fresh where-stream stays where it is


@pytest.mark.parametrize("join", ["product", "sum"])
def test_the_state_is_passed_and_nothing_is_hidden(join: str):
    torch.manual_seed(0)
    agent = AttentionAgent(FORM, AgentConfig(width=8, join=join))
    observation = {"glimpse": torch.rand(2, *SHAPE), "location": torch.rand(2, 2)}
    first = agent(observation, agent.initial_state(2))
    agent(observation, first.state)
    again = agent(observation, agent.initial_state(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(agent(observation, first.state).answer, first.answer)
