"""Which changes an augmentation makes, and how strong each may be: the argument `augment`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, NamedTuple


class Augmentation(NamedTuple):
    """The strength of each change, from 0 (none) to 1. Every change is drawn evenly from its range.

    Attributes:
        shift: by up to an eighth of the canvas, in whole pixels, in each direction.
        scale: by a factor from 0.8 to 1.25, alike in both directions.
        flip: left and right change places, in half of the episodes. Not for digits or letters.
        brightness: all values times 0.6 to 1.4.
        contrast: the distance of all values from their mean times 0.6 to 1.4.
        colour: the values of each channel times 0.8 to 1.2; grey canvases stay as they are.
        noise: uniform, for each value on its own, of up to 0 to 32 of 255.
        cutout: a rectangle, of up to a quarter of the canvas in each direction, becomes as grey as the canvas's mean.
    """

    shift: float = 0.0
    scale: float = 0.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    colour: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0

    @property
    def moves(self) -> bool:
        """Whether it changes where things are."""
        return max(self.shift, self.scale, self.flip) > 0


def parse_augmentation(value: Any) -> Augmentation | None:
    """The augmentation that an argument names; None for none.

    Args:
        value: True (everything but `flip`), False or None; one strength of everything but `flip`; names, each with its
            strength or without (then it is 1), as a text "shift,scale:0.5", a sequence of such, or a mapping.

    Raises:
        ValueError: for anything else, an unknown name, a name given twice, or a strength that is not from 0 to 1.
    """
    known = Augmentation._fields
    if value is None or isinstance(value, Real):  # a bool too
        pairs: Iterable[tuple[Any, Any]] = [(name, value or 0.0) for name in known if name != "flip"]
    elif isinstance(value, Mapping):
        pairs = value.items()
    elif isinstance(value, Iterable):
        names = value.split(",") if isinstance(value, str) else value
        pairs = [_pair(name) for name in names]
    else:
        pairs = [(value, 1.0)]
    strengths: dict[str, float] = {}
    for name, strength in pairs:
        if name not in known or name in strengths:
            fault = "is given twice" if name in known else "is unknown"
            raise ValueError(
                f"augment: {name!r} {fault}; give names of {', '.join(known)} (augment=shift,scale:0.5), one strength "
                "of all but flip (augment=0.5), or True"
            )
        if not (isinstance(strength, Real) and 0 <= float(strength) <= 1):
            raise ValueError(f"augment: a strength is from 0 to 1, got {strength!r} for {name}")
        strengths[name] = float(strength)
    return Augmentation(**strengths) if any(strengths.values()) else None


def _pair(text: Any) -> tuple[Any, Any]:
    """A name and its strength, of a text such as "scale:0.5" or "scale"."""
    name, colon, strength = text.partition(":") if isinstance(text, str) else (text, "", "")
    try:
        return (name.strip() if isinstance(name, str) else name), float(strength) if colon else 1.0
    except ValueError:
        return name, strength  # which is refused by name
