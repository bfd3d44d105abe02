"""From an observation to one vector: an encoder for every part, chosen by the part's role."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agents.encoders.base import Encoder
from agents.encoders.blocks import BlockEncoder
from agents.encoders.convolutional import ConvolutionalEncoder
from agents.encoders.glimpse import GlimpseEncoder, PlaceEncoder
from agents.encoders.hidden_text import HiddenTextEncoder
from agents.encoders.hidden_words import HiddenWordsEncoder
from agents.encoders.overview import OverviewEncoder
from agents.encoders.patches import PatchEncoder
from agents.encoders.resnet import ResNetEncoder
from agents.encoders.sentence import SentenceEncoder
from agents.encoders.values import BitsEncoder, ValuesEncoder
from agents.named import NamedModules
from agents.spec import Observation, Parts

if TYPE_CHECKING:
    from agents.config import AgentConfig

__all__ = ["ENCODERS", "Encoder", "EncoderRow", "Encoders", "register_encoder"]


class EncoderRow(NamedTuple):
    """An encoder, and the roles of the parts that it takes together."""

    roles: tuple[str, ...]
    make: Callable[[Parts, AgentConfig], Encoder]


MakeEncoder = Callable[[Parts, "AgentConfig"], Encoder]

WHOLE: dict[str, MakeEncoder] = {
    "paper_cnn": ConvolutionalEncoder,
    "deep_cnn": ConvolutionalEncoder,
    "resnet": ResNetEncoder,
}
"""Networks over a whole image, by the option `glimpse_encoder`: they see a glimpse as large as the canvas, or an
overview."""

GLIMPSES: dict[str, MakeEncoder] = {
    "linear": GlimpseEncoder,
    "patches": PatchEncoder,
    "blocks": BlockEncoder,
    **WHOLE,
}
"""Encoders of glimpses, by that option."""


def glimpse_encoder(parts: Parts, config: AgentConfig) -> Encoder:
    """The encoder of glimpses that the agent's options name."""
    return GLIMPSES[config.glimpse_encoder](parts, config)


def overview_encoder(parts: Parts, config: AgentConfig) -> Encoder:
    """A network over a whole image, where the agent's options name one, or else a small one."""
    return WHOLE.get(config.glimpse_encoder, OverviewEncoder)(parts, config)


ENCODERS: dict[str, EncoderRow] = {
    "hidden_text": EncoderRow(("tokens", "bag", "place", "count", "clock"), HiddenTextEncoder),
    "hidden_words": EncoderRow(("tokens", "around", "place", "values", "count", "clock"), HiddenWordsEncoder),
    "glimpse": EncoderRow(("glimpse",), glimpse_encoder),
    "overview": EncoderRow(("overview",), overview_encoder),
    "sentence": EncoderRow(("tokens",), SentenceEncoder),
    "bits": EncoderRow(("bits",), BitsEncoder),
    "values": EncoderRow(("values",), ValuesEncoder),
    "bag": EncoderRow(("bag",), ValuesEncoder),
    "count": EncoderRow(("count",), ValuesEncoder),
    "clock": EncoderRow(("clock",), ValuesEncoder),
    "place": EncoderRow(("place",), PlaceEncoder),
}
"""Every encoder by its name, in the order in which they choose. The first row all of whose roles occur among the
parts that are left takes the parts of these roles."""


def register_encoder(name: str, roles: tuple[str, ...], make: Callable[[Parts, AgentConfig], Encoder]) -> None:
    """Add an encoder, which chooses before all others.

    Args:
        name: of its row.
        roles: of the parts that it takes together; a role of your own needs no other row.
        make: from these parts and the agent's options to the encoder.

    Raises:
        ValueError: for a name that is taken.
    """
    if name in ENCODERS:
        raise ValueError(f"there is an encoder {name!r} already; choose another name")
    rows = {name: EncoderRow(roles, make), **ENCODERS}
    ENCODERS.clear()
    ENCODERS.update(rows)


class Encoders(nn.Module):
    """All encoders of an agent, and how their vectors meet.

    With `join="product"` the sum of all that say what there is, times 1 + each that says where (Larochelle & Hinton
    2010; Ba et al. 2015). With "norm" the same, of vectors that were each brought to a mean of 0 and a deviation of 1
    (Ba, Kiros & Hinton 2016, without gain and bias): a glimpse is a tenth as long as a row of bits before any training,
    and a memory that compares such sums compares bits. With "sum", relu(what + where) (Mnih et al. 2014, section 3.1).

    Args:
        parts: of the observation.
        config: of the agent.

    Attributes:
        width: of the result.
        periphery_size: values that the gaze sees beside the features.

    Raises:
        ValueError: for a part whose role no encoder takes, by its name; or no part at all.
    """

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__()
        table: dict[str, Encoder] = {}
        left = dict(parts)
        for name, row in ENCODERS.items():
            roles = {part.role for part in left.values()}
            if roles and set(row.roles) <= roles:
                taken = {part: spec for part, spec in left.items() if spec.role in row.roles}
                table[name] = row.make(taken, config)
                left = {part: spec for part, spec in left.items() if part not in taken}
        if left or not parts:
            name, part = next(iter(left.items()), ("", None))
            raise ValueError(
                f"no encoder takes the observation's part {name!r} of role {part.role!r}: give it another role, "
                "register an encoder (agents.encoders.register_encoder), or leave it out with `ignore`"
                if part
                else "nothing is left to be encoded: `ignore` and `asks` leave out every part of the observation"
            )
        self.table, self.join = NamedModules(table), config.join
        widths = {encoder.width for encoder in table.values()}
        self.width = config.width if len(widths) > 1 else widths.pop()
        others = {name: encoder for name, encoder in table.items() if encoder.width != self.width}
        self.project = NamedModules({name: nn.Linear(encoder.width, self.width) for name, encoder in others.items()})
        self.periphery_size = sum(encoder.periphery_size for encoder in table.values())

    def forward(self, observation: Observation) -> Tensor:
        """(B, width), of an observation's parts (B, …)."""
        what: list[Tensor] = []
        where: list[Tensor] = []
        for name, encoder in self.table.items():
            vector = encoder(observation)
            vector = self.project[name](vector) if name in self.project else vector
            if self.join == "norm" and not encoder.modulates:
                vector = F.layer_norm(vector, vector.shape[-1:])
            (where if encoder.modulates else what).append(vector)
        if not what or not where:
            return _sum(what or where)
        if self.join == "sum":
            return torch.relu(_sum([*what, *where]))
        seen = _sum(what)
        for place in where:
            seen = seen * (1 + place)
        return seen

    def periphery(self, observation: Observation) -> Tensor | None:
        """(B, periphery_size), what draws the gaze beside the features; None where that is nothing."""
        rows = [encoder.periphery(observation) for _, encoder in self.table.items() if encoder.periphery_size]
        return torch.cat(rows, 1) if len(rows) > 1 else next(iter(rows), None)


def _sum(vectors: list[Tensor]) -> Tensor:
    total = vectors[0]
    for vector in vectors[1:]:
        total = total + vector
    return total
