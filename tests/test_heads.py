"""Every head: its modes, draws and log-probabilities against those of torch.distributions, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Normal

from agents import AgentConfig, AttentionAgent, EnvSpec, PartSpec, register_head
from agents.heads import HEADS, AnswerHead, View, ViewSize, make_heads
from agents.heads.answer import draw_class

PARTS = {
    "place": PartSpec("place", (2,)),
    "saccade": PartSpec("saccade", (2,)),
    "motion": PartSpec("motion", (3,)),
    "class": PartSpec("class", (), (5,)),
    "classes": PartSpec("classes", (2,), (3, 4)),
    "bits": PartSpec("bits", (6,)),
    "logits": PartSpec("logits", (5,)),
    "stop": PartSpec("stop", (), (2,)),
}
ROWS, FEATURES = 4, 7


def head_of(role: str, **config):
    part = PARTS[role]
    config.setdefault("saccades", "absolute" if role == "saccade" else "relative")
    size = ViewSize(9, part.values if role in ("place", "saccade", "motion") else 0)
    return make_heads({"it": part}, FEATURES, {"it": size}, AgentConfig(**config))["it"]


def view_of(role: str) -> View:
    return View(torch.rand(ROWS, 9), torch.rand(ROWS, PARTS[role].values)) if head_of(role).uses_view else View()


def oracle(role: str, params: Tensor, action: Tensor, deviation: float) -> Tensor:
    if role in ("place", "saccade", "motion"):
        return Normal(params, deviation).log_prob(action).sum(-1)
    if role == "bits":
        return Bernoulli(logits=params).log_prob(action.float()).sum(-1)
    if role == "classes":
        first, second = params.split((3, 4), -1)
        return Categorical(logits=first).log_prob(action[..., 0]) + Categorical(logits=second).log_prob(action[..., 1])
    return Categorical(logits=params).log_prob(action)


@pytest.mark.parametrize("role", HEADS)
def test_contract(role: str):
    head = head_of(role)
    params = head(torch.randn(ROWS, FEATURES), view_of(role))
    mode = head.mode(params)
    assert mode.shape[1:] == PARTS[role].shape
    if role == "logits":
        with pytest.raises(ValueError, match="target"):
            head.draw(params, head.noise(torch.rand(ROWS, head.noise_size)), 0.5)
        action = torch.randint(0, 5, (ROWS,))
    else:
        action = head.draw(params.detach(), head.noise(torch.rand(ROWS, head.noise_size)), 0.5)
        assert action.shape == mode.shape
        assert action.dtype == mode.dtype
    log_prob = head.log_prob(params, action, 0.5)
    difference = log_prob - oracle(role, params, action, 0.5)  # a constant that no gradient depends on may be missing
    torch.testing.assert_close(difference, difference[:1].expand(ROWS), atol=1e-5, rtol=0)
    deep = params.expand(3, *params.shape), action.expand(3, *action.shape)
    torch.testing.assert_close(head.log_prob(*deep, 0.5)[1], log_prob)
    if isinstance(head, AnswerHead):
        right = params.argmax(-1) if role == "logits" else mode
        assert head.hits(mode, right).shape == (ROWS, head.parts)
        assert head.hits(mode, right).all()
        assert head.target_features(right).shape == (ROWS, head.target_size)
        unknown = -torch.ones_like(right)
        assert head.log_prob(params, unknown).isfinite().all()
        assert not head.hits(mode, unknown).any()


def test_draws_have_the_distribution_of_the_logits():
    logits, uniform = torch.tensor([0.0, 1.0, -1.0, 2.0]), torch.rand(200_000)
    drawn = draw_class(logits.expand(200_000, 4), uniform)
    share = torch.bincount(drawn, minlength=4) / 200_000
    torch.testing.assert_close(share, logits.softmax(-1), atol=5e-3, rtol=0)
    assert draw_class(logits, torch.tensor(1.0 - 1e-7)) == 3  # never out of range


def test_places_are_drawn_around_the_mean_with_the_deviation():
    head = head_of("place")
    drawn = head.draw(
        torch.tensor([1.0, -2.0]).expand(100_000, 2), head.noise(torch.rand(100_000, head.noise_size)), 0.3
    )
    torch.testing.assert_close(drawn.mean(0), torch.tensor([1.0, -2.0]), atol=5e-3, rtol=0)
    torch.testing.assert_close(drawn.std(0), torch.tensor([0.3, 0.3]), atol=5e-3, rtol=0)
    assert abs(float(torch.corrcoef(drawn.T)[0, 1])) < 0.02


def test_a_gaze_begins_where_it_is_and_a_prior_moves_it_by_cells():
    here = torch.tensor([[0.5, -0.5]])
    view = View(torch.rand(1, 9), here, torch.tensor([[0.25]]), torch.tensor([[2.0, 0.0]]))
    features = torch.rand(1, FEATURES)
    torch.testing.assert_close(head_of("place")(features, view), torch.tensor([[1.0, -0.5]]))
    torch.testing.assert_close(head_of("place", saccades="none")(features, view), here)
    back = head_of("place", initial_saccade=-1.0)(features, view._replace(prior=None))
    torch.testing.assert_close(back, here - 0.25)


@pytest.mark.parametrize("role", ["place", "motion", "stop"])
def test_nothing_flows_from_a_policy_into_the_features(role: str):
    features = torch.randn(ROWS, FEATURES, requires_grad=True)
    head = head_of(role)
    params = head(features, view_of(role))
    assert head.policy
    params.sum().backward()
    assert features.grad is None
    assert all(parameter.grad is not None for parameter in head.parameters())


@pytest.mark.parametrize("stream", [0, 16])
def test_a_gaze_sees_features_of_a_bounded_length(stream: int):
    """Of root mean square 10; shorter ones as they are."""
    head, view = head_of("motion", where_stream=stream), view_of("motion")
    torch.nn.init.normal_(head.stream.mean.weight)
    long, short = 1e4 * torch.randn(ROWS, FEATURES), torch.randn(ROWS, FEATURES)
    lengths = long.square().mean(1, keepdim=True).sqrt()
    torch.testing.assert_close(head(long, view), head(10 * long / lengths, view))
    assert not torch.allclose(head(short, view), head(2 * short, view))


def test_two_relative_saccades_are_refused():
    with pytest.raises(ValueError, match="relative saccades, and the agent's are relative too"):
        head_of("saccade", saccades="relative")
    with pytest.raises(ValueError, match="need to know the present place"):
        make_heads({"it": PARTS["place"]}, FEATURES, {"it": ViewSize(9, 0)}, AgentConfig())


def test_a_part_without_a_head_is_an_error_that_names_it_and_a_head_of_ones_own_is_one_call():
    spec = EnvSpec({"x": PartSpec("values", (2,))}, {"sing": PartSpec("voice", (3,))})
    with pytest.raises(ValueError, match=r"part 'sing' of role 'voice'.*register_head"):
        AttentionAgent(spec, AgentConfig())
    register_head("voice", HEADS["motion"])
    try:
        with pytest.raises(ValueError, match="already"):
            register_head("voice", HEADS["motion"])
        agent = AttentionAgent(spec, AgentConfig(width=8))
        assert agent({"x": torch.rand(2, 2)}, agent.initial_state(2)).params["sing"].shape == (2, 3)
    finally:
        HEADS.pop("voice")


def test_a_gaze_among_words_steps_to_their_middles_and_stays_in_the_text():
    size = ViewSize(9, 1)
    head = make_heads({"it": PartSpec("place", (1,))}, FEATURES, {"it": size}, AgentConfig(saccades="words"))["it"]
    torch.nn.init.normal_(head.out.bias)
    here, unit = torch.tensor([[-1 + 0.2], [1 - 0.2]]), torch.full((2, 1), 0.4)  # the first and the last of five words
    params = head(torch.randn(2, FEATURES), View(torch.rand(2, 9), here, unit))
    uniform = torch.rand(4000, 1, head.noise_size)
    drawn = head.draw(params.expand(4000, *params.shape), head.noise(uniform.expand(4000, 2, -1)), 0.0)
    middles = torch.tensor([-0.8, -0.4, 0.0, 0.4, 0.8])
    assert ((drawn - middles).abs().min(-1).values < 1e-5).all()
    assert ((head.mode(params) - middles).abs().min(-1).values < 1e-5).all()
    share = torch.stack([((drawn[:, 0] - middle).abs() < 0.1).float().mean() for middle in middles])
    torch.testing.assert_close(share, params[0, 20:25, 0].softmax(-1), atol=0.03, rtol=0)
    place = torch.tensor([[0.05], [0.05]])
    expected = torch.logsumexp(params[..., 0].log_softmax(-1) - ((place - params[..., 1]) / 0.2).square() / 2, -1)
    torch.testing.assert_close(head.log_prob(params, place, 0.5 * unit), expected)
    with pytest.raises(ValueError, match="chooses among the words of a text"):
        make_heads({"it": PARTS["place"]}, FEATURES, {"it": ViewSize(9, 2)}, AgentConfig(saccades="words"))
