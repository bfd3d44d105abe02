"""The modern Hopfield memory: the paper's formulas in NumPy, its guarantees, and the classical network beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from memory.hopfield import Hopfield, retrieve


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_retrieval_is_equation_3():
    patterns, query, beta = draw(5, 4), draw(3, 4, seed=2), 1.7
    xi = query.numpy()
    for _ in range(3):
        scores = np.exp(beta * xi @ patterns.numpy().T)
        weights = scores / scores.sum(1, keepdims=True)
        xi = weights @ patterns.numpy()
    state, last = retrieve(query, patterns, beta, updates=3)
    np.testing.assert_allclose(state, xi, atol=1e-12)
    np.testing.assert_allclose(last, weights, atol=1e-12)


def energy(state: Tensor, patterns: Tensor, beta: float) -> Tensor:
    """E = -lse(beta, X xi) + xi . xi / 2 + log(M) / beta + m² / 2 (Ramsauer et al. 2021, eq. 2), of states (Q, d)."""
    lse = torch.logsumexp(beta * state @ patterns.mT, dim=-1) / beta
    longest = patterns.square().sum(-1).amax(-1, keepdim=True)
    return -lse + (state.square().sum(-1) + longest) / 2 + np.log(len(patterns)) / beta


@pytest.mark.parametrize("beta", [0.05, 0.5, 5.0])
def test_no_update_raises_the_energy(beta: float):
    patterns, state = draw(20, 6), draw(50, 6, seed=2)
    longest = patterns.norm(dim=1).max()
    before = energy(state, patterns, beta)
    assert (before[state.norm(dim=1) <= longest] <= 2 * longest**2).all()
    for _ in range(20):
        state, _ = retrieve(state, patterns, beta)
        after = energy(state, patterns, beta)
        assert (after <= before + 1e-10).all()
        assert (after >= -1e-10).all()
        before = after


def test_a_large_beta_gives_the_nearest_and_a_small_one_the_mean():
    patterns = torch.nn.functional.normalize(draw(10, 6), dim=1)
    query = torch.nn.functional.normalize(draw(30, 6, seed=2), dim=1)
    nearest = torch.cdist(query, patterns).argmin(1)
    torch.testing.assert_close(retrieve(query, patterns, 1e6)[0], patterns[nearest])
    torch.testing.assert_close(retrieve(query, patterns, 1e-9)[0], patterns.mean(0).expand(30, 6))


def test_separated_patterns_are_retrieved_in_one_step():
    """The error is at most 2 m (M - 1) exp(-beta separation), with the separation as the query sees it."""
    sign = torch.Generator().manual_seed(0)
    patterns = torch.randint(0, 2, (30, 128), generator=sign).double() * 2 - 1
    query = patterns + 0.3 * draw(30, 128)
    scores = query @ patterns.T
    own = scores.diagonal().clone()
    separation = own - scores.fill_diagonal_(-torch.inf).amax(1)
    assert (separation > 0).all()
    beta = 0.5
    once, _ = retrieve(query, patterns, beta)
    bound = 2 * 128**0.5 * 29 * torch.exp(-beta * separation)
    assert ((once - patterns).norm(dim=1) <= bound + 1e-12).all()
    torch.testing.assert_close(once, patterns, rtol=0, atol=1e-5)
    torch.testing.assert_close(retrieve(once, patterns, beta)[0], patterns, rtol=0, atol=1e-5)


def hebb(patterns: np.ndarray, state: np.ndarray, sweeps: int = 10) -> np.ndarray:
    """The classical network (Hopfield 1982): the sum of outer products, no self-coupling, neuron after neuron."""
    d = patterns.shape[1]
    coupling = patterns.T @ patterns / d
    np.fill_diagonal(coupling, 0)
    state = state.copy()
    for _ in range(sweeps):
        for neuron in range(d):
            state[:, neuron] = np.where(state @ coupling[:, neuron] >= 0, 1, -1)
    return state


def test_far_more_patterns_than_the_classical_network_holds():
    """d = 64: the classical network holds 0.14 d, about 9 (Amit et al. 1985). A tenth of each query is flipped."""
    d, rng = 64, np.random.default_rng(0)

    def recalled(count: int) -> tuple[float, float]:
        patterns = rng.choice([-1.0, 1.0], (count, d))
        query = patterns.copy()
        for row in query:
            row[rng.choice(d, 6, replace=False)] *= -1
        modern = retrieve(torch.from_numpy(query), torch.from_numpy(patterns), beta=1.0)[0].sign().numpy()
        classical = hebb(patterns, query)
        return (modern == patterns).all(1).mean().item(), (classical == patterns).all(1).mean().item()

    assert recalled(4) == (1.0, 1.0)
    modern, classical = recalled(512)
    assert modern >= 0.99
    assert classical <= 0.01


@pytest.mark.parametrize(
    ("slots", "before", "restarts"), [(1, 3, True), (4, 0, False), (4, 13, True), (9, 3, False), (20, 13, True)]
)
def test_unroll_is_the_loop(slots: int, before: int, restarts: bool):
    torch.manual_seed(0)
    memory = Hopfield(5, slots=slots, width=8, updates=2).double()
    writes, queries = draw(before + 9, 7, 5), draw(before + 9, 7, 5, seed=4)
    start = torch.rand(before + 9, 7, generator=torch.Generator().manual_seed(2)) < 0.2 * restarts
    state, reads, earlier = memory.initial_state(7), [], memory.initial_state(7)
    for step in range(before + 9):
        if step == before:
            earlier = state
        read, state = memory(writes[step], queries[step], state, start[step])
        reads.append(read)
    last = slice(before, None)
    unrolled = memory.unroll(writes[last], queries[last], earlier, start[last] if restarts else None)
    torch.testing.assert_close(unrolled, (torch.stack(reads[last]), state), rtol=0, atol=1e-10)


def test_it_asks_for_what_was_stored_before():
    torch.manual_seed(0)
    memory = Hopfield(5, slots=3, width=8, beta=50.0).double()
    inputs = draw(4, 1, 5)
    inputs = torch.cat([inputs, inputs[2:3], inputs[:1]])
    reads, state = memory.unroll(inputs, inputs)
    stored = memory.pattern(inputs)
    assert not reads[0].any()
    torch.testing.assert_close(reads[1], stored[0])
    torch.testing.assert_close(reads[4], stored[2])
    assert not torch.allclose(reads[5], stored[0], atol=0.1)  # overwritten by the fourth
    read, write, _, contents, step = memory.watch(state)
    assert read is not None
    assert write is not None
    assert step is not None
    torch.testing.assert_close(read.sum(-1), torch.ones(1, 1, dtype=torch.float64))
    assert write.tolist() == [[0, 0, 1]]
    assert step.tolist() == [[3, 4, 5]]
    torch.testing.assert_close(contents, stored[3:].transpose(0, 1))


def test_a_row_that_never_recalls_has_no_gradient():
    torch.manual_seed(0)
    memory = Hopfield(3, slots=3, width=4, updates=2).double()
    start = torch.tensor([[False, True]] * 4)
    inputs = draw(4, 2, 3).requires_grad_()
    (slope,) = torch.autograd.grad(memory.unroll(inputs, inputs, None, start)[0].square().sum(), inputs)
    assert not slope[:, 1].any()
    assert slope[:, 0].any()


def test_bad_options():
    with pytest.raises(ValueError, match="at least 1"):
        Hopfield(5, updates=0)
    with pytest.raises(ValueError, match="beta must be positive"):
        Hopfield(5, beta=0.0)
