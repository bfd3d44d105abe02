"""The loss of a trajectory by hand, the score-function identity, masks; and what learns from what in the agent."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from agents import AgentConfig, AttentionAgent, Decision, EnvSpec, PartSpec, Trajectory
from agents.heads import ViewSize, make_heads
from agents.heads.place import gaussian_log_prob
from agents.training.estimators import gain, gains, policy_gradient, reinforce, returns
from agents.training.losses import answer_weights, beyond, cross_entropies, entropy, imitation, trajectory_loss
from agents.training.recipe import Recipe

HEADS = {"location": SimpleNamespace(acts_on_next=True), "move": SimpleNamespace(acts_on_next=False)}


def episodes(lengths: list[int], **parts: Any) -> Trajectory:
    """Episodes of these lengths, without observations; all that is not given is zero."""
    alive = torch.arange(max(lengths))[:, None] < torch.tensor(lengths)
    zeros = torch.zeros(alive.shape)
    known: dict[str, Any] = {
        "observations": {}, "steps": None, "params": {}, "actions": {}, "log_prob": {}, "value": None,
        "reward": zeros, "alive": alive, "target": None, "scored": torch.zeros_like(alive), "log_likelihood": zeros,
        "hits": None, "length": torch.tensor(lengths), "info": {}, "episodes": np.arange(len(lengths)),
    }  # fmt: skip
    return Trajectory(**{**known, **parts})


def test_gaussian_log_prob_is_torchs_and_trains_the_mean_alone():
    torch.manual_seed(0)
    mean, sample = torch.randn(7, 2, requires_grad=True), torch.randn(7, 2, requires_grad=True)
    ours = gaussian_log_prob(sample, mean, 0.3)
    expected = torch.distributions.Normal(mean, 0.3).log_prob(sample).sum(-1)
    constant = 2 * (0.5 * math.log(2 * math.pi) + math.log(0.3))
    torch.testing.assert_close(ours - constant, expected)
    ours.sum().backward()
    torch.testing.assert_close(mean.grad, (sample - mean).detach() / 0.3**2)
    assert sample.grad is None


def test_returns_by_hand():
    rewards = torch.tensor([[1.0], [2.0], [4.0]])
    torch.testing.assert_close(returns(rewards, 0.5), torch.tensor([[3.0], [4.0], [4.0]]))
    torch.testing.assert_close(returns(rewards), torch.tensor([[7.0], [6.0], [4.0]]))


def test_reinforce_is_the_gradient_of_the_expected_return():
    """E over samples of the score-function gradient is the gradient of E[f(mean + std noise)]; f(x) = -|x - a|²."""
    torch.manual_seed(0)
    aim, std, n = torch.tensor([0.4, -0.2]), 0.3, 400_000
    mean = torch.zeros(2, requires_grad=True)
    sample = std * torch.randn(1, n, 2)
    reward = -((sample - aim) ** 2).sum(-1)
    log_prob = {"move": gaussian_log_prob(sample, mean.expand(1, n, 2), std)}
    trajectory = episodes([1] * n, reward=reward, log_prob=log_prob)
    reinforce(trajectory, HEADS, 1.0, torch.zeros(1, n)).policy.backward()
    assert mean.grad is not None
    torch.testing.assert_close(-mean.grad * reward.std(), 2 * aim, atol=0.02, rtol=0)  # of standardised returns


def test_the_policy_gradient_by_hand():
    """Returns of 1 and 3 are -1 and 1 once standardised; advantages over a baseline of 1 are -2 and 0, of size √2."""
    log_prob, value = torch.zeros(1, 2, requires_grad=True), torch.ones(1, 2, requires_grad=True)
    trajectory = episodes([1, 1], reward=torch.tensor([[1.0, 3.0]]), log_prob={"move": log_prob}, value=value)
    loss = reinforce(trajectory, HEADS, 1.0, torch.zeros(1, 2))
    policy, through = torch.autograd.grad(loss.policy, [log_prob, value], allow_unused=True, retain_graph=True)
    torch.testing.assert_close(policy, torch.tensor([[math.sqrt(2) / 2, 0.0]]))
    assert through is None  # the advantage is detached from the baseline
    assert float(loss.value.detach()) == pytest.approx(2.0, rel=1e-4)
    torch.testing.assert_close(torch.autograd.grad(loss.value, value)[0], torch.tensor([[2.0, 0.0]]))
    assert float(loss.scalars["train/explained_variance"]) == pytest.approx(0.0, abs=1e-4)
    in_other_units = reinforce(trajectory._replace(reward=70 * trajectory.reward), HEADS, 1.0, torch.zeros(1, 2))
    torch.testing.assert_close(in_other_units, loss)
    paid = reinforce(episodes([1, 1], log_prob={"move": log_prob}, value=value), HEADS, 1.0, trajectory.reward)
    torch.testing.assert_close(paid, loss)  # a bonus is as good as a reward


def test_a_mean_beyond_the_canvas_is_drawn_back_and_any_other_is_left_alone():
    """Of two episodes, one and two steps long: 0.5 beyond the right edge; inside; 0.3 beyond the top and left edges."""
    mean = torch.tensor([[[1.5, 0.0], [0.9, -1.0]], [[9.0, 9.0], [-1.3, -1.3]]], requires_grad=True)
    heads = make_heads({"location": PartSpec("place", (2,))}, 3, {"location": ViewSize(4, 2)}, AgentConfig())
    trajectory = episodes([1, 2], params={"location": mean}, log_prob={"location": torch.zeros(2, 2)})
    loss = beyond(trajectory, heads)
    torch.testing.assert_close(loss, torch.tensor((0.25 + 0.0 + 0.18) / 3))
    loss.backward()
    expected = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [-0.6, -0.6]]]) / 3
    torch.testing.assert_close(mean.grad, expected)
    config = AgentConfig(saccades="absolute")
    saccade = make_heads({"step": PartSpec("saccade", (2,))}, 3, {"step": ViewSize(4, 2)}, config)
    steps = trajectory._replace(params={"step": mean}, log_prob={"step": torch.zeros(2, 2)})
    assert beyond(steps, saccade) == 0  # a step of any length may end on the canvas


@pytest.mark.parametrize(("name", "lasts"), [("location", False), ("move", True)])
def test_what_follows_an_end_is_left_out_and_so_is_a_place_that_nobody_looked_at(name: str, lasts: bool):
    torch.manual_seed(0)
    lengths, reward, value = [2, 4, 3], torch.randn(4, 3), torch.randn(4, 3)
    log_prob = torch.randn(4, 3, requires_grad=True)
    trajectory = episodes(lengths, log_prob={name: log_prob}, value=value)
    trajectory = trajectory._replace(reward=reward * trajectory.alive)
    loss = reinforce(trajectory, HEADS, 0.9, torch.zeros(4, 3))
    (slope,) = torch.autograd.grad(loss.policy, log_prob)
    counted = torch.arange(4)[:, None] < torch.tensor(lengths) - (0 if lasts else 1)
    assert torch.equal(slope != 0, counted)
    other = trajectory._replace(value=torch.where(counted, value, 7.0))
    torch.testing.assert_close(reinforce(other, HEADS, 0.9, torch.zeros(4, 3)), loss)
    standard = returns(trajectory.reward, 0.9)[counted]
    standard = (standard - standard.mean()) / standard.std(correction=0)
    advantage = standard - value[counted]
    torch.testing.assert_close(slope[counted], -advantage / advantage.square().mean().sqrt() / counted.sum())
    torch.testing.assert_close(loss.value, advantage.square().mean())


def test_the_gain_of_a_step_is_what_is_known_after_the_next():
    known = torch.tensor([[-4.0, -3.0], [-2.0, -1.0], [-1.0, 5.0]], requires_grad=True)
    trajectory = episodes([3, 2], log_likelihood=known, target=torch.zeros(3, 2))
    assert gains(trajectory).tolist() == [[2.0, 2.0], [1.0, 0.0], [0.0, 0.0]]  # nothing is gained by an end
    assert not gains(trajectory).requires_grad
    other = torch.tensor([[[1, 0], [1, 1]], [[1, 2], [1, 1]], [[1, 2], [1, 1]]])
    assert gains(trajectory._replace(target=other)).tolist() == [[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]]
    log_prob, bonus = torch.zeros(3, 2, requires_grad=True), torch.rand(3, 2)
    trajectory = trajectory._replace(log_prob={"location": log_prob})
    ours = gain(trajectory, HEADS, 0.5, bonus)
    torch.testing.assert_close(ours, policy_gradient(trajectory, HEADS, gains(trajectory) + bonus, 0.5))
    with pytest.raises(ValueError, match="--target"):
        gain(trajectory._replace(target=None), HEADS, 0.5, bonus)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("scored", [[0, 0], [0, 1], [1, 0]]), ("all", [[1, 1], [1, 1], [1, 0]]), ("later", [[1, 1], [2, 2], [3, 0]])],
)
def test_the_answers_that_are_trained_by_hand(kind: str, expected: list[list[float]]):
    likelihood = torch.tensor([[-4.0, -8.0], [-2.0, -1.0], [-1.0, -9.0]])
    scored = torch.tensor([[False, False], [False, True], [True, False]])
    hits = torch.zeros(3, 2, 2, dtype=torch.bool)
    trajectory = episodes([3, 2], log_likelihood=likelihood, scored=scored, hits=hits, target=torch.zeros(3, 2, 2))
    weights = answer_weights(kind, trajectory)
    assert weights.tolist() == expected
    mean = -(weights * likelihood).sum() / weights.sum() / 2  # over both parts of an answer
    torch.testing.assert_close(cross_entropies(trajectory, weights[None])[0], mean)
    loss, scalars = trajectory_loss(Recipe(answer_weights=kind), None, trajectory)  # type: ignore[arg-type]
    torch.testing.assert_close(loss, mean)
    assert float(scalars["train/loss"]) == pytest.approx(0.5)
    assert float(cross_entropies(trajectory, torch.zeros(1, 3, 2))) == 0.0


def test_an_answer_that_learns_from_reward_does_not_see_its_target():
    log_prob = torch.zeros(2, 3, requires_grad=True)
    parts: dict[str, Any] = {"reward": torch.rand(2, 3), "log_prob": {"move": log_prob}, "target": torch.zeros(2, 3)}
    trajectory = episodes([2, 2, 1], hits=torch.zeros(2, 3, 1, dtype=torch.bool), **parts)
    recipe = Recipe(answer_signal="reward", estimator="reinforce")
    losses = [
        trajectory_loss(recipe, SimpleNamespace(heads=HEADS), trajectory._replace(log_likelihood=likelihood))[0]
        for likelihood in (torch.zeros(2, 3), torch.full((2, 3), -9.0))
    ]
    assert losses[0].requires_grad
    assert float(losses[0].detach()) == float(losses[1].detach())


def test_an_answer_that_does_not_count_has_no_part_in_the_policy_gradient():
    """Where the environment tells that no answer counts (it tells nothing of that), all of them do."""
    torch.manual_seed(0)
    log_prob, heads = torch.zeros(3, 2, requires_grad=True), {"answer": SimpleNamespace(acts_on_next=False)}
    scored = torch.tensor([[False, False], [False, True], [True, False]])
    trajectory = episodes([3, 2], log_prob={"answer": log_prob}, reward=torch.rand(3, 2), scored=scored)
    (slope,) = torch.autograd.grad(reinforce(trajectory, heads, 0.0, torch.zeros(3, 2)).policy, log_prob)
    assert torch.equal(slope != 0, scored)
    untold = trajectory._replace(scored=torch.zeros_like(scored))
    (slope,) = torch.autograd.grad(reinforce(untold, heads, 0.0, torch.zeros(3, 2)).policy, log_prob)
    assert torch.equal(slope != 0, untold.alive)


def test_the_entropy_of_what_is_drawn_by_hand():
    """Four classes alike in one row, two of four in the other; of places there is none."""
    classes = PartSpec("class", (), (4,))
    parts = {"answer": classes, "location": PartSpec("place", (2,))}
    heads = make_heads(parts, 3, {"answer": ViewSize(4, 0), "location": ViewSize(4, 2)}, AgentConfig())
    logits = torch.tensor([[[0.0, 0, 0, 0], [5, 5, -99, -99]]], requires_grad=True)
    drawn = {"answer": torch.zeros(1, 2), "location": torch.zeros(1, 2)}
    trajectory = episodes([1, 1], params={"answer": logits, "location": torch.zeros(1, 2, 2)}, log_prob=drawn)
    spread = entropy(trajectory, heads)
    torch.testing.assert_close(spread, torch.tensor((math.log(4) + math.log(2)) / 2))
    agent = SimpleNamespace(heads=heads)
    recipe = Recipe(answer_signal="reward", estimator="reinforce")
    plain, with_entropy = (
        trajectory_loss(replace(recipe, entropy_weight=weight), agent, trajectory)[0] for weight in (0.0, 0.5)
    )
    torch.testing.assert_close(with_entropy, plain - 0.5 * spread)
    bits = make_heads({"answer": PartSpec("bits", (2,))}, 3, {"answer": ViewSize(4, 0)}, AgentConfig())["answer"]
    torch.testing.assert_close(bits.entropy(torch.tensor([[0.0, 0.0]])), torch.tensor([2 * math.log(2)]))


def test_answers_before_what_is_to_be_seen_was_found_count_less():
    likelihood, hits = -torch.rand(3, 2), torch.zeros(3, 2, 1, dtype=torch.bool)
    found = torch.tensor([[False, False], [False, True], [True, True]])
    trajectory = episodes([3, 3], log_likelihood=likelihood, hits=hits, target=torch.zeros(3, 2), found=found)
    loss, _ = trajectory_loss(Recipe(answer_weights="all", unfound_weight=0.25), None, trajectory)
    weights = torch.where(found, 1.0, 0.25)
    torch.testing.assert_close(loss, -(weights * likelihood).sum() / weights.sum())


def test_shares_with_unlike_numbers_of_answers_make_the_mean_of_the_whole(monkeypatch: pytest.MonkeyPatch):
    likelihood, hits = -torch.rand(4, 4), torch.zeros(4, 4, 1, dtype=torch.bool)
    whole = episodes([1, 2, 4, 4], log_likelihood=likelihood, hits=hits)
    loss = cross_entropies(whole, whole.alive[None].float())
    monkeypatch.setattr("agents.training.losses.all_mean", lambda _: torch.tensor((3 + 8) / 2))
    shares = [
        cross_entropies(share, share.alive[None].float())
        for share in (
            episodes([1, 2], log_likelihood=likelihood[:2, :2], hits=hits[:2, :2]),
            episodes([4, 4], log_likelihood=likelihood[:, 2:], hits=hits[:, 2:]),
        )
    ]
    torch.testing.assert_close((shares[0] + shares[1]) / 2, loss)


SHAPE = (2, 1, 5, 5)
SPEC = EnvSpec(
    {"glimpse": PartSpec("glimpse", SHAPE), "location": PartSpec("place", (2,))},
    {
        "location": PartSpec("place", (2,)),
        "answer": PartSpec("class", (), (3,)),
        "stop": PartSpec("stop", (), (2,)),
    },
)
MEMORY: dict[str, Any] = {"memory": "episodic", "memory_options": ("slots=4", "width=8", "heads=2")}
CONFIGS = pytest.mark.parametrize(
    "config",
    [
        AgentConfig(width=8, where_stream=6),
        AgentConfig.paper(),
        AgentConfig(width=8, core="lstm", **MEMORY),
        AgentConfig(width=8, core="none", **MEMORY),
    ],
    ids=["ours", "paper", "core and memory", "memory alone"],
)


def observed(rows: int) -> dict[str, Tensor]:
    return {"glimpse": torch.rand(rows, *SHAPE), "location": torch.rand(rows, 2)}


def decide(config: AgentConfig) -> tuple[AttentionAgent, Decision]:
    """An agent in which nothing is zero, and its second decision of four episodes."""
    torch.manual_seed(1)
    agent = AttentionAgent(SPEC, config)
    for parameter in agent.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    state = agent.initial_state(4)
    for _ in range(2):
        decision = agent(observed(4), state)
        state = decision.state
    return agent, decision


def trained(agent: AttentionAgent) -> set[str]:
    """The parts of the agent that have a gradient."""
    names = {name for name, p in agent.named_parameters() if p.grad is not None and p.grad.any()}
    return {".".join(name.split(".")[: 2 if name.startswith("heads") else 1]) for name in names}


@CONFIGS
@pytest.mark.parametrize("name", ["location", "stop"])
def test_the_policy_gradient_trains_the_policy_and_nothing_else(config: AgentConfig, name: str):
    agent, decision = decide(config)
    head = agent.heads[name]
    params = decision.params[name]
    action = head.draw(params.detach(), head.noise(torch.rand(4, head.noise_size)), 0.1)
    (head.log_prob(params, action, 0.1) * torch.randn(4)).sum().backward()
    assert trained(agent) == {f"heads.for_{name}"}
    assert {id(p) for p in head.parameters()} <= {id(p) for p in agent.policy_parameters()}


@CONFIGS
def test_the_answer_trains_what_sees_and_remembers_and_no_policy(config: AgentConfig):
    agent, decision = decide(config)
    (-agent.heads["answer"].log_prob(decision.params["answer"], torch.tensor([0, 1, 2, 0]))).mean().backward()
    expected = {"encoders", "heads.for_answer"}
    expected |= {"core"} if config.core != "none" else set()
    assert trained(agent) == expected | ({"memory"} if config.memory != "none" else set())


@CONFIGS
def test_the_baseline_trains_itself_alone(config: AgentConfig):
    agent, decision = decide(config)
    known = torch.rand(4, requires_grad=True)
    value = agent.expected_return(torch.zeros(4, 2), decision.features, torch.tensor([0, 1, 2, 0]), known)
    assert value is not None
    (value - 1).square().mean().backward()
    assert trained(agent) == {"baseline"}
    assert known.grad is None


def test_only_the_privileged_baseline_knows_the_target():
    likely, here = torch.tensor([-0.1, -0.1]), torch.zeros(2, 2)
    for privileged in (True, False):
        agent, decision = decide(AgentConfig(width=8, privileged_baseline=privileged))
        first, second = (
            agent.expected_return(here, decision.features[:2], torch.tensor(target), likely)
            for target in ([0, 1], [2, 2])
        )
        assert first is not None
        assert second is not None
        assert torch.equal(first, second) != privileged


@CONFIGS
def test_the_state_is_passed_and_nothing_is_hidden(config: AgentConfig):
    torch.manual_seed(0)
    agent = AttentionAgent(SPEC, config)
    observation = observed(2)
    first = agent(observation, agent.initial_state(2))
    agent(observation, first.state)
    torch.testing.assert_close(agent(observation, agent.initial_state(2)), first, rtol=0, atol=0)
    later = agent({**observation, "glimpse": 1 - observation["glimpse"]}, first.state)
    fresh = agent({**observation, "glimpse": 1 - observation["glimpse"]}, agent.initial_state(2))
    assert not torch.equal(later.params["answer"], fresh.params["answer"])


def test_rows_that_were_led_are_imitated_and_take_no_part_in_the_policy_gradient():
    torch.manual_seed(0)
    log_prob, led = torch.randn(3, 4, requires_grad=True), torch.tensor([True, False, False, True])
    demonstrated = torch.randn(3, 4, requires_grad=True)
    trajectory = episodes(
        [3, 3, 2, 3],
        log_prob={"location": log_prob},
        reward=torch.rand(3, 4),
        led=led,
        demonstrated={"location": demonstrated},
        moved=torch.tensor([[True] * 4, [False, False, True, True], [True] * 4]),
    )
    others = trajectory._replace(
        **{name: getattr(trajectory, name)[:, ~led] for name in ("reward", "alive", "log_likelihood", "scored")},
        log_prob={"location": log_prob[:, ~led]},
        led=None,
        length=trajectory.length[~led],
    )
    both = policy_gradient(trajectory, HEADS, trajectory.reward, 0.7)
    torch.testing.assert_close(both.policy, policy_gradient(others, HEADS, others.reward, 0.7).policy / 2)
    copied = imitation(trajectory, "location")
    # Where another step follows; of led rows where the oracle moves on.
    counted = demonstrated[0].sum() + demonstrated[1, [1, 3]].sum()
    torch.testing.assert_close(copied, -counted / 6 / 2)
