"""The gaze that chooses among the cells of an overview."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents import AgentConfig, BatchedEnv, collect
from agents.heads import Survey, View, ViewSize
from agents.heads.cells import CellHead
from agents.loading import make_agent, resized
from agents.spec import PartSpec, spec_of

PART = PartSpec("place", (2,))


def head(rows: int = 3, columns: int = 5) -> CellHead:
    torch.manual_seed(0)
    made = CellHead(PART, 7, ViewSize(0, 2, (3, 4 * rows, 4 * columns)), AgentConfig())
    torch.nn.init.normal_(made.out.weight)
    return made


def view(made: CellHead, overview: torch.Tensor, here: torch.Tensor) -> View:
    return View(survey=Survey(made.survey(overview), made.near(here)))


@torch.no_grad()
def test_the_density_is_that_of_the_mixture_and_integrates_to_one() -> None:
    made = head()
    params = made(torch.randn(1, 7), view(made, torch.rand(1, 3, 12, 20), torch.zeros(1, 2)))
    x = torch.linspace(-4, 4, 801)
    grid = torch.cartesian_prod(x, x)
    deviation = 0.5
    density = made.log_prob(params.expand(len(grid), -1, -1), grid, deviation).exp()
    area = 0.01**2 / (2 * math.pi * float((deviation * made.cell).prod()))
    assert float(density.detach().sum()) * area == pytest.approx(1, abs=1e-3)


@torch.no_grad()
def test_draws_follow_the_density() -> None:
    made = head()
    params = made(torch.randn(1, 7), view(made, torch.rand(1, 3, 12, 20), torch.zeros(1, 2))).expand(200_000, -1, -1)
    noise = made.noise(torch.rand(len(params), made.noise_size, generator=torch.Generator().manual_seed(1)))
    places = made.draw(params, noise, 0.1)
    share = params[0, :, 0].softmax(0)
    nearest = (places[:, None] - params[0, None, :, 1:]).div(made.cell).square().sum(-1).argmin(1)
    found = torch.bincount(nearest, minlength=len(share)) / len(places)
    # Neighbours' means may lie within a deviation of one another, so that a few are told apart wrongly.
    assert float((found - share).abs().sum()) < 0.25
    mean = (share[:, None] * params[0, :, 1:]).sum(0)
    assert torch.allclose(places.mean(0), mean, atol=5e-3)


def test_the_gradient_of_the_log_probability_moves_the_policy_towards_the_place() -> None:
    made = head()
    overview, here, features = torch.rand(1, 3, 12, 20), torch.zeros(1, 2), torch.randn(1, 7)
    place = torch.tensor([[0.6, -0.5]])
    before = made.log_prob(made(features, view(made, overview, here)), place, 0.5)
    before.sum().backward()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.grad is not None:
                parameter += 1e-3 * parameter.grad
    assert made.log_prob(made(features, view(made, overview, here)), place, 0.5) > before


def test_a_cell_that_was_looked_at_is_less_probable() -> None:
    made = head()
    overview, features = torch.rand(1, 3, 12, 20), torch.zeros(1, 7)
    far = made(features, view(made, overview, torch.full((1, 2), 9.0)))[0, :, 0].softmax(0)
    best = int(far.argmax())
    there = made(features, view(made, overview, made.centre[None, best]))[0, :, 0].softmax(0)
    assert there[best] < 0.2 * far[best]


def test_the_middle_of_a_cell_is_where_the_overview_changes_it_most() -> None:
    made = head(16, 16)
    overview = torch.rand(1, 3, 64, 64, requires_grad=True)
    for cell in (5 * 16 + 5, 8 * 16 + 10, 11 * 16 + 4):
        (gradient,) = torch.autograd.grad(made.survey(overview)[0, cell].sum(), overview)
        weight = gradient[0].square().sum(0)
        axis = (torch.arange(64) + 0.5) / 32 - 1
        middle = torch.stack([(weight.sum(0) * axis).sum(), (weight.sum(1) * axis).sum()]) / weight.sum()
        assert torch.allclose(middle, made.centre[cell], atol=float(made.cell[0]) / 2)


def correcting(inputs: int = 3) -> tuple[CellHead, View]:
    """A head that is shown glimpses of three scales of 8×12 cells, each 0.01 wide and 0.02 high, and such a view."""
    torch.manual_seed(0)
    size = ViewSize(0, 2, (inputs, 12, 20), (3, inputs, 8, 12), (0.01, 0.02))
    made = CellHead(PART, 7, size, AgentConfig())
    overview, here = torch.rand(1, inputs, 12, 20), torch.tensor([[0.2, -0.4]])
    survey = Survey(made.survey(overview), made.near(here))
    return made, View(survey=survey, here=here, glimpse=torch.rand(1, 3, inputs, 8, 12))


@torch.no_grad()
def test_the_cells_of_the_patches_lie_where_the_patches_show_them() -> None:
    made, seen = correcting()
    params = made(torch.randn(1, 7), seen)
    cells = params[0, 15:, 1:].reshape(3, 2, 3, 2)  # scales, rows, columns, (x, y); the offsets are 0 at first
    for scale in range(3):
        x = 0.2 + 0.01 * 2**scale * torch.tensor([-4.0, 0.0, 4.0])
        y = -0.4 + 0.02 * 2**scale * torch.tensor([-2.0, 2.0])
        torch.testing.assert_close(cells[scale, ..., 0], x.expand(2, 3))
        torch.testing.assert_close(cells[scale, ..., 1], y[:, None].expand(2, 3))
    assert int(params[0, :, 0].argmax()) < 15  # before any training it looks elsewhere


def test_a_look_that_came_near_is_corrected_by_what_the_glimpse_shows() -> None:
    made, seen = correcting()
    optimizer = torch.optim.Adam(made.parameters(), 1e-2)
    generator = torch.Generator().manual_seed(1)
    off = torch.zeros(64, 2)
    for _ in range(150):
        assert seen.survey is not None
        glimpse, features = torch.zeros(64, 3, 3, 8, 12), torch.zeros(64, 7)
        cell = torch.stack([torch.randint(size, (64,), generator=generator) for size in (12, 8)], 1)
        glimpse[torch.arange(64), 0, :, cell[:, 1], cell[:, 0]] = 1
        place = seen.here + (cell + 0.5 - torch.tensor([6.0, 4.0])) * torch.tensor([0.01, 0.02])
        survey = Survey(*(part.detach().expand(64, *part.shape[1:]) for part in seen.survey))
        params = made(features, View(survey=survey, here=seen.here.expand(64, 2), glimpse=glimpse))
        loss = -made.log_prob(params, place, 0.02).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        off = ((made.mode(params) - place) / torch.tensor([0.01, 0.02])).detach()
    assert float(off.norm(dim=1).median()) < 2  # cells of the patch; without it, the overview's are 40 wide


def environment(**changes: Any) -> Any:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (20, 32, 48, 3), dtype=np.uint8)
    return gym.make_vec(
        "glimpse_env:Glimpse/Classify-v0",
        **{
            "num_envs": 4,
            "backend": "torch",
            "autoreset_mode": "Disabled",
            "images": images,
            "overview": 24,
            **changes,
        },
        labels=np.arange(20) % 4,
    )


@pytest.mark.parametrize("options", [{}, {"core": "none", "memory": "episodic", "memory_options": ("slots=8",)}])
def test_an_agent_looks_elsewhere_at_each_glimpse_and_learns_where(options: dict[str, Any]) -> None:
    env = environment()
    torch.manual_seed(0)
    agent = make_agent(env, AgentConfig(width=32, saccades="cells", **options))
    batched = BatchedEnv(env, torch.device("cpu"))
    with torch.no_grad():
        path = collect(agent, batched, np.arange(4)).observations["location"]
    apart = (path[:, None] - path[None]).norm(dim=-1)[~torch.eye(len(path), dtype=torch.bool)]
    assert float(apart.min()) > 0.1
    noise = {"location": agent.heads["location"].noise(torch.rand(batched.horizon, 4, 4))}
    played = collect(agent, batched, np.arange(4), noise=noise, std=0.5)
    with torch.no_grad():  # step by step, whatever the agent does at once
        again = collect(agent, batched, np.arange(4), noise=noise, std=0.5)
    assert torch.allclose(played.log_prob["location"], again.log_prob["location"], atol=1e-4)
    played.log_prob["location"].sum().backward()
    head = agent.heads["location"]
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in head.parameters())
    assert all(p.grad is None or not bool(p.grad.any()) for p in agent.encoders.parameters())


def test_what_has_no_overview_or_too_small_a_one_is_refused() -> None:
    for overview in (None, (3, 3)):
        with pytest.raises(ValueError, match="set overview="):
            make_agent(environment(overview=overview), AgentConfig(saccades="cells"))


def test_an_agent_goes_on_where_canvases_and_overviews_have_other_sizes() -> None:
    """What is learned is about cells, however many there are, and the gist of an overview about its regions."""
    small = environment(patch=8)
    images = np.random.default_rng(1).integers(0, 255, (20, 96, 96, 3), dtype=np.uint8)
    large = environment(patch=8, images=images, overview=48)
    torch.manual_seed(0)
    agent = make_agent(small, AgentConfig(width=32, saccades="cells"))
    assert resized(agent, spec_of(small)) is agent
    assert spec_of(large).fits(agent.spec)
    other = resized(agent, spec_of(large))
    assert agent.heads["location"].centre.shape == (6 * 4, 2)
    assert other.heads["location"].centre.shape == (12 * 12, 2)
    np.testing.assert_allclose(other.heads["location"].cell, [2 / 12, 2 / 12])
    np.testing.assert_allclose(other.heads["location"].width[0], [4 * 2 / 96, 4 * 2 / 96])
    assert other.trained is agent.trained
    for name, value in agent.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
    with torch.no_grad():
        assert bool(collect(other, BatchedEnv(large, torch.device("cpu")), np.arange(4)).reward.isfinite().all())
