"""The chain of recalls without a softmax: what a sum over the slots cannot tell, a product of two likenesses can."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memory.association import Association


def asked_for_both(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Slots (a, b, m), (c, d, m), (a, c, m') and (d, b, m'), and the question (a, b): which of the two marks is m?

    Whatever m is, every thing and every mark occurs twice, and the slots that hold a or b, each counted once for
    either, hold both marks equally often.

    Returns:
        The question (n, 1, 10), the slots (n, 4, 10), and the mark (n,).
    """
    a, b, c, d = torch.eye(8)[torch.argsort(torch.rand(n, 8, generator=generator))[:, :4]].unbind(1)
    mark = torch.randint(2, (n,), generator=generator)
    marks = torch.eye(2)[torch.stack([mark, mark, 1 - mark, 1 - mark], 1)]
    slots = torch.cat([torch.stack([a + b, c + d, a + c, d + b], 1), marks], 2)
    return F.pad(a + b, (0, 2))[:, None], slots, mark


def test_one_hop_finds_the_slot_that_has_both():
    torch.manual_seed(0)
    chain = Association(10, width=16, hops=1, read_size=32)
    head = nn.Linear(32, 2)
    optimizer = torch.optim.Adam([*chain.parameters(), *head.parameters()], 1e-2)
    generator = torch.Generator().manual_seed(1)
    everything = torch.ones(1, 1, 4, dtype=torch.bool)
    for _ in range(400):
        question, slots, mark = asked_for_both(64, generator)
        loss = F.cross_entropy(head(chain(question, chain.project(slots), everything)[:, 0]), mark)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1


def test_slots_that_may_not_be_recalled_change_nothing():
    torch.manual_seed(0)
    chain = Association(4, width=3, hops=2, read_size=5)
    question, slots = torch.randn(2, 1, 4), torch.randn(2, 6, 4)
    earlier = torch.arange(6)[None, None] < 4
    some = chain(question, chain.project(slots), earlier)
    torch.testing.assert_close(some, chain(question, chain.project(slots[:, :4]), earlier[..., :4]))
    nothing = chain(question, chain.project(slots), torch.zeros(1, 1, 6, dtype=torch.bool))
    assert torch.equal(nothing, chain(question, chain.project(torch.zeros_like(slots)), earlier))


def test_a_delay_makes_a_mean_smaller_but_not_a_sum_of_constant_shares():
    torch.manual_seed(0)
    question, slots = torch.randn(2, 1, 4), torch.randn(2, 3, 4)
    delayed, everything = torch.cat([slots, torch.zeros(2, 9, 4)], 1), torch.ones(1, 1, 12, dtype=torch.bool)
    for share, same in ((0.0, False), (1 / 3, True)):
        torch.manual_seed(1)
        chain = Association(4, width=3, hops=2, read_size=5, share=share)
        short = chain(question, chain.project(slots), everything[..., :3])
        assert torch.allclose(short, chain(question, chain.project(delayed), everything), atol=1e-6) == same
    torch.manual_seed(1)
    mean = Association(4, width=3, hops=2, read_size=5)
    torch.testing.assert_close(short, mean(question, mean.project(slots), everything[..., :3]))
