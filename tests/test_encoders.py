"""Every encoder, by the roles of the parts that it takes, and how their vectors meet."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from agents import AgentConfig, AttentionAgent, EnvSpec, PartSpec, register_encoder
from agents.core import CORES
from agents.encoders import ENCODERS, Encoder, Encoders
from agents.encoders.sentence import Sentences
from agents.encoders.values import Standardise

PARTS = {
    "glimpse": PartSpec("glimpse", (1, 1, 20, 20)),
    "overview": PartSpec("overview", (3, 20, 30)),
    "place": PartSpec("place", (2,)),
    "tokens": PartSpec("tokens", (5,), (11,)),
    "around": PartSpec("around", (12,), (11,) * 12),
    "bits": PartSpec("bits", (6,)),
    "bag": PartSpec("bag", (2, 11)),
    "count": PartSpec("count", (1,), (9,)),
    "clock": PartSpec("clock", (1,)),
    "values": PartSpec("values", (3, 2)),
}
HIDDEN_TEXT = {
    "question": PARTS["tokens"],
    "tokens": PARTS["tokens"],
    "periphery": PARTS["bag"],
    "location": PartSpec("place", (1,)),
    "lines": PARTS["count"],
    "time": PARTS["clock"],
}
HIDDEN_WORDS = {
    "question": PartSpec("tokens", (1,), (11,)),
    "tokens": PartSpec("tokens", (1,), (11,)),
    "around": PARTS["around"],
    "location": PartSpec("place", (1,)),
    "distance": PartSpec("values", (1,)),
    "count": PARTS["count"],
    "time": PARTS["clock"],
}


def parts_of(row: str) -> dict[str, PartSpec]:
    """Parts that the encoder of this row takes."""
    named = {"hidden_text": HIDDEN_TEXT, "hidden_words": HIDDEN_WORDS}
    return named.get(row) or {f"my_{role}": PARTS[role] for role in ENCODERS[row].roles}


def observed(parts: dict[str, PartSpec], rows: int) -> dict[str, Tensor]:
    values = {name: torch.rand(rows, *part.shape) for name, part in parts.items()}
    for name, part in parts.items():
        if part.role in ("tokens", "around"):
            values[name] = torch.randint(0, part.sizes[0], (rows, *part.shape))
        elif part.role == "count":
            values[name] = torch.randint(1, part.sizes[0] + 1, (rows, 1)).float()
    return values


@pytest.mark.parametrize(
    "config",
    [
        AgentConfig(width=16),
        AgentConfig(width=16, glimpse_encoder="deep_cnn", channels=4),
        AgentConfig(width=16, glimpse_encoder="resnet"),
    ],
)
@pytest.mark.parametrize("row", ENCODERS)
def test_contract(row: str, config: AgentConfig):
    """Rows do not depend on each other, every parameter learns, and what draws the gaze has the size that is
    promised."""
    parts = parts_of(row)
    encoders = Encoders(parts, config).eval()
    assert encoders.table.names == (row,)
    observation = observed(parts, 4)
    out = encoders(observation)
    assert out.shape == (4, encoders.width)
    alone = encoders({name: value[2:3] for name, value in observation.items()})
    torch.testing.assert_close(out[2:3], alone)
    periphery = encoders.periphery(observation)
    assert (0 if periphery is None else periphery.shape[1]) == encoders.periphery_size
    encoders.train()
    out = encoders(observation)
    if out.requires_grad:  # bits are taken as they are
        out.square().sum().backward()
    for name, parameter in encoders.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_what_and_where_meet_as_a_product_or_as_a_sum():
    parts = {"g": PARTS["glimpse"], "q": PARTS["tokens"], "p": PARTS["place"]}
    observation = observed(parts, 3)
    for join in ("product", "norm", "sum"):
        encoders = Encoders(parts, AgentConfig(width=8, join=join))
        glimpse, sentence, place = (encoders.table[name](observation) for name in ("glimpse", "sentence", "place"))
        if join == "norm":  # each that says what, and not where it is, has a mean of 0 and a deviation of 1
            glimpse, sentence = (
                (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
                for x in (glimpse, sentence)
            )
        expected = torch.relu(glimpse + sentence + place) if join == "sum" else (glimpse + sentence) * (1 + place)
        torch.testing.assert_close(encoders(observation), expected)


def test_parts_of_other_widths_are_mapped_to_one():
    parts = {"b": PARTS["bits"], "q": PARTS["tokens"]}
    assert Encoders({"b": PARTS["bits"]}, AgentConfig(width=16)).width == 6
    assert Encoders(parts, AgentConfig(width=16))(observed(parts, 2)).shape == (2, 16)


def test_a_part_without_an_encoder_is_an_error_that_names_it():
    with pytest.raises(ValueError, match=r"part 'smell' of role 'odour'.*register_encoder.*ignore"):
        Encoders({"smell": PartSpec("odour", (3,)), "g": PARTS["glimpse"]}, AgentConfig())
    spec = EnvSpec({"time": PARTS["clock"]}, {"answer": PartSpec("class", (), (2,))})
    with pytest.raises(ValueError, match="leave out every part"):
        AttentionAgent(spec, AgentConfig())
    with pytest.raises(ValueError, match=r"`ignore`: the observation has no part 'tiem'; it has time"):
        AttentionAgent(spec, AgentConfig(ignore=("tiem",)))


def test_an_encoder_of_ones_own_is_one_call():
    class Smell(Encoder):
        def __init__(self, parts, config):
            super().__init__(parts, config)
            self.map = nn.Linear(3, config.width)

        def forward(self, observation):
            return self.map(observation["smell"])

    register_encoder("values_of_smell", ("odour",), Smell)
    try:
        with pytest.raises(ValueError, match="another name"):
            register_encoder("values_of_smell", ("odour",), Smell)
        spec = EnvSpec({"smell": PartSpec("odour", (3,))}, {"update": PartSpec("class", (), (4,))})
        agent = AttentionAgent(spec, AgentConfig(width=8))  # a part may have any name, such as that of a method
        decision = agent({"smell": torch.rand(2, 3)}, agent.initial_state(2))
        assert decision.params["update"].shape == (2, 4)
    finally:
        ENCODERS.pop("values_of_smell")


@pytest.mark.parametrize("kind", ["bag", "attention"])
def test_a_shorter_row_of_words_is_a_padded_one(kind: str):
    sentences = Sentences(10, 5, 8, kind)
    short = torch.tensor([[3], [4]])
    torch.testing.assert_close(sentences(short), sentences(torch.nn.functional.pad(short, (0, 4))))


def test_several_parts_of_one_role_are_all_seen():
    parts = {"one": PARTS["tokens"], "two": PARTS["tokens"]}
    encoders, observation = Encoders(parts, AgentConfig(width=8)), observed(parts, 1)
    other = {**observation, "two": (observation["two"] + 1) % 11}
    assert not torch.equal(encoders(observation), encoders(other))


def test_values_are_standardised_by_what_was_seen_with_gradient():
    standardise = Standardise(2)
    data = torch.randn(500, 2) * torch.tensor([3.0, 0.0]) + torch.tensor([5.0, 7.0])
    for batch in data.split(100):
        standardise.update(batch)
    out = standardise(data)
    torch.testing.assert_close(out[:, 0].mean(), torch.tensor(0.0), atol=1e-4, rtol=0)
    torch.testing.assert_close(out[:, 0].std(correction=0), torch.tensor(1.0), atol=1e-3, rtol=0)
    assert (out[:, 1] == 0).all()
    encoders = Encoders({"v": PartSpec("values", (2,))}, AgentConfig(width=4))
    count = encoders.table["values"].standardise.count
    with torch.no_grad():
        encoders({"v": data})
    assert count == 0
    encoders({"v": data})
    assert count == 500


@pytest.mark.parametrize("core", [name for name in CORES if name != "none"])
def test_cores_learn_and_the_maximum_forgets_nothing_and_knows_no_order(core: str):
    torch.manual_seed(0)
    made, seen = CORES[core](6, 8), torch.randn(5, 3, 6)
    state = torch.zeros(3, made.state_size)
    for step in seen:
        before = state
        output, state = made(step, state)
        assert output.shape == (3, 8 + made.where_size)
        assert core != "max" or bool((state >= before).all())
    output.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in made.parameters())
    if core == "max":
        again = torch.zeros(3, 8)
        for step in seen.flip(0):
            again = made(step, again)[1]
        torch.testing.assert_close(again, state)


def test_a_core_for_sets_forgets_the_order_and_counts_what_comes_again() -> None:
    torch.manual_seed(0)
    made, seen = CORES["set"](6, 8), torch.randn(4, 3, 6)

    def last(steps: torch.Tensor) -> torch.Tensor:
        state = torch.zeros(3, made.state_size)
        for step in steps:
            output, state = made(step, state)
        return output

    torch.testing.assert_close(last(seen), last(seen.flip(0)))
    once, twice = last(seen), last(torch.cat([seen, seen]))
    torch.testing.assert_close(twice[:, :4], once[:, :4])  # what was found
    torch.testing.assert_close(twice[:, 4:], 2 * once[:, 4:])  # and how often
    assert bool((once[:, 4:] > 0).any())


def test_the_gaze_of_dram_reads_a_memory_of_its_own_which_it_teaches_and_the_answer_does_not() -> None:
    torch.manual_seed(0)
    glimpse, here = PartSpec("glimpse", (1, 1, 4, 4)), PartSpec("place", (2,))
    action = {"location": PartSpec("place", (2,)), "answer": PartSpec("class", (), (10,))}
    agent = AttentionAgent(EnvSpec({"glimpse": glimpse, "location": here}, action), AgentConfig(width=8, core="dram"))
    torch.nn.init.normal_(agent.heads["location"].stream.mean.weight)
    assert agent.core is not None
    seen = {"glimpse": torch.rand(3, 1, 1, 4, 4), "location": torch.zeros(3, 2)}
    decision = agent(seen, agent.initial_state(3))
    assert decision.features.shape == (3, 16)
    for part, taught in (("answer", {"what": True, "where": False}), ("location", {"what": True, "where": True})):
        agent.zero_grad()
        agent(seen, agent.initial_state(3)).params[part].sum().backward()
        learned = {name: getattr(agent.core, name).cell.weight_ih.grad for name in taught}
        assert {name: bool((gradient != 0).any()) for name, gradient in learned.items()} == taught
