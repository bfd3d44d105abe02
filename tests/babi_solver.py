"""Answers the questions of all twenty bAbI tasks from the text alone, by rules. It shares nothing with the generator.

The lines of a story are heard in order; a question is then matched against the forms it can have. Some of the lines
will do as well, as long as they are those that matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

MOVE = re.compile(r"^(.+?) (?:moved to|went to|went back to|journeyed to|travelled to) the (\w+)\.$")
GET = re.compile(r"^(\w+) (?:got|grabbed|took|picked up) the (\w+)(?: there)?\.$")
DROP = re.compile(r"^(\w+) (?:dropped|discarded|left|put down) the (\w+)(?: there)?\.$")
GIVE = re.compile(r"^(\w+) (?:gave|handed|passed) the (\w+) to (\w+)\.$")
IN = re.compile(r"^(\w+) is (not |no longer |either )?in the (\w+)(?: or the (\w+))?\.$")
FEAR = re.compile(r"^(\w+) are afraid of (\w+)\.$")
KIND = re.compile(r"^(\w+) is a (\w+)\.$")
QUALITY = re.compile(r"^(\w+) is (\w+)\.$")
SIDE = r"north of|south of|east of|west of|above|below|to the left of|to the right of"
RELATION = re.compile(rf"^The ([\w ]+?) is ({SIDE}) the ([\w ]+)\.$")
BIGGER = re.compile(r"^The ([\w ]+) is bigger than the ([\w ]+)\.$")
FITS = re.compile(r"^The ([\w ]+) fits inside the ([\w ]+)\.$")
THEN = re.compile(r"^(?:Afterwards|After that|Following that|Then) (?:he|she|they) ")
TIME = re.compile(r" ?\b(yesterday|this morning|this afternoon|this evening)\b ?", re.IGNORECASE)

STEPS = {
    "north of": (0, 1), "south of": (0, -1), "east of": (1, 0), "west of": (-1, 0),
    "above": (0, 1), "below": (0, -1), "to the right of": (1, 0), "to the left of": (-1, 0),
}  # fmt: skip
HOURS = ["yesterday", "this morning", "this afternoon", "this evening"]
SINGULAR = {"mice": "mouse", "sheep": "sheep", "wolves": "wolf", "cats": "cat"}
WAY = {"hungry": "kitchen", "thirsty": "kitchen", "bored": "garden", "tired": "bedroom"}
COUNT = ["none", "one", "two", "three"]


@dataclass
class Heard:
    """What has been heard."""

    paths: dict[str, list[str]] = field(default_factory=dict)
    """Of a person: all places told of; of a thing: the places it was in since somebody took it."""
    doubt: dict[str, tuple[str, ...]] = field(default_factory=dict)
    not_in: dict[str, str] = field(default_factory=dict)
    hands: dict[str, list[str]] = field(default_factory=dict)
    gifts: list[tuple[str, str, str]] = field(default_factory=list)
    diary: dict[tuple[str, int], str] = field(default_factory=dict)
    fears: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    qualities: dict[str, str] = field(default_factory=dict)
    relations: list[tuple[str, str, str]] = field(default_factory=list)
    bigger: set[tuple[str, str]] = field(default_factory=set)
    last: str = ""


def hear(heard: Heard, line: str) -> None:
    """Takes in a line; raises ValueError for one of no known form."""
    line = THEN.sub(heard.last + " ", line)
    if match := TIME.search(line):
        name, place = MOVE.match(TIME.sub("", line).removesuffix(".") + ".").groups()  # type: ignore[union-attr]
        heard.diary[name, HOURS.index(match[1].lower())] = place
    elif match := MOVE.match(line):
        heard.last = match[1]
        for name in match[1].split(" and "):
            _arrive(heard, name, match[2])
    elif match := GET.match(line):
        heard.hands.setdefault(match[1], []).append(match[2])
        heard.paths[match[2]] = heard.paths.get(match[1], [])[-1:]
    elif match := DROP.match(line):
        if match[2] in heard.hands.get(match[1], []):
            heard.hands[match[1]].remove(match[2])
        else:
            heard.paths[match[2]] = list(heard.paths.get(match[1], []))
    elif match := GIVE.match(line):
        giver, thing, receiver = match.groups()
        heard.gifts.append((giver, thing, receiver))
        if thing in heard.hands.get(giver, []):
            heard.hands[giver].remove(thing)
        heard.hands.setdefault(receiver, []).append(thing)
    elif match := IN.match(line):
        name, how, *places = match.groups()
        if how is None:
            _arrive(heard, name, places[0])
        elif how == "either ":
            heard.doubt[name] = tuple(places)
            heard.not_in.pop(name, None)
        else:
            heard.not_in[name] = places[0]
            heard.doubt.pop(name, None)
    elif match := FEAR.match(line):
        heard.fears[SINGULAR[match[1].lower()]] = SINGULAR[match[2]]
    elif match := KIND.match(line):
        heard.kinds[match[1]] = match[2]
    elif match := QUALITY.match(line):
        heard.qualities[match[1]] = match[2]
    elif match := RELATION.match(line):
        heard.relations.append((match[1], match[2], match[3]))
    elif match := BIGGER.match(line):
        heard.bigger.add((match[1], match[2]))
    elif match := FITS.match(line):
        heard.bigger.add((match[2], match[1]))
    else:
        raise ValueError(f"a line of no known form: {line}")


def _arrive(heard: Heard, name: str, place: str) -> None:
    for one in (name, *heard.hands.get(name, ())):
        heard.paths.setdefault(one, []).append(place)
    heard.doubt[name] = (place,)
    heard.not_in.pop(name, None)


def answer(story: Iterable[str], question: str) -> str:
    """The answer to a question after the lines of a story, both without numbers.

    Args:
        story: sentences, in order.
        question: one of the forms of the twenty tasks.

    Returns:
        The answer as it stands in a file.

    Raises:
        ValueError: for a line or a question of no known form.
    """
    heard = Heard()
    for line in story:
        hear(heard, line)
    question = question.strip()
    for form, reply in FORMS:
        if match := re.match(form + r"\?$", question):
            return reply(heard, *match.groups())
    raise ValueError(f"a question of no known form: {question}")


def _where(heard: Heard, name: str) -> str:
    return heard.paths[name][-1]


def _where_before(heard: Heard, name: str, place: str) -> str:
    if heard.diary:
        path = [where for (who, _), where in sorted(heard.diary.items(), key=lambda item: item[0][1]) if who == name]
    else:
        path = heard.paths[name]
    return next(path[i - 1] for i in range(len(path) - 1, 0, -1) if path[i] == place)


def _is_in(heard: Heard, name: str, place: str) -> str:
    places = () if name in heard.not_in else heard.doubt[name]
    return "no" if place not in places else "yes" if len(places) == 1 else "maybe"


def _gift(heard: Heard, giver: str | None, thing: str | None, receiver: str | None) -> str:
    asked = (giver, thing, receiver)
    for gift in reversed(heard.gifts):
        if all(want in (None, "?", have) for want, have in zip(asked, gift, strict=True)):
            return gift[asked.index("?")]
    raise ValueError("no such gift was told of")


def _color(heard: Heard, name: str) -> str:
    kind = heard.kinds[name]
    return [heard.qualities[other] for other in heard.kinds if heard.kinds[other] == kind and other in heard.qualities][
        -1
    ]


def _beside(heard: Heard, side: str, name: str) -> str:
    x, y = STEPS[side]
    for one, told, other in heard.relations:
        if other == name and told == side:
            return one
        if one == name and STEPS[told] == (-x, -y):
            return other
    raise ValueError(f"nothing was told of {side} {name}")


def _map(heard: Heard, start: str) -> dict[str, tuple[tuple[int, int], str]]:
    """What can be reached from a start: its cell, and the way there in letters."""
    reached = {start: ((0, 0), "")}
    for _ in heard.relations:
        for one, side, other in heard.relations:
            x, y = STEPS[side]
            for near, far, dx, dy in ((other, one, x, y), (one, other, -x, -y)):
                if near in reached and far not in reached:
                    (cx, cy), way = reached[near]
                    letter = {(0, 1): "n", (0, -1): "s", (1, 0): "e", (-1, 0): "w"}[dx, dy]
                    reached[far] = (cx + dx, cy + dy), way + letter
    return reached


def _is_beside(heard: Heard, one: str, side: str, other: str) -> str:
    (x, y), _ = _map(heard, other)[one]
    dx, dy = STEPS[side]
    return "yes" if x * dx + y * dy > 0 else "no"


def _is_bigger(heard: Heard, one: str, other: str) -> str:
    smaller = {one}
    for _ in heard.bigger:
        smaller |= {low for high, low in heard.bigger if high in smaller}
    return "yes" if other in smaller else "no"


FORMS: list[tuple[str, Callable[..., str]]] = [
    (r"Where is (?:the )?(\w+)", _where),
    (r"Where was (?:the )?(\w+) before the (\w+)", _where_before),
    (r"Is (\w+) in the (\w+)", _is_in),
    (r"How many objects is (\w+) carrying", lambda heard, name: COUNT[len(heard.hands.get(name, []))]),
    (r"What is (\w+) carrying", lambda heard, name: ",".join(heard.hands.get(name, [])) or "nothing"),
    (r"What did (\w+) give to (\w+)", lambda heard, giver, receiver: _gift(heard, giver, "?", receiver)),
    (r"Who received the (\w+)", lambda heard, thing: _gift(heard, None, thing, "?")),
    (r"Who gave the (\w+)", lambda heard, thing: _gift(heard, "?", thing, None)),
    (r"Who did (\w+) give the (\w+) to", lambda heard, giver, thing: _gift(heard, giver, thing, "?")),
    (r"Who gave the (\w+) to (\w+)", lambda heard, thing, receiver: _gift(heard, "?", thing, receiver)),
    (r"What is (\w+) afraid of", lambda heard, name: heard.fears[heard.kinds[name.capitalize()]]),
    (r"What color is (\w+)", _color),
    (r"What is (\w+ of) the (\w+)", _beside),
    (
        r"What is the (\w+) (\w+ of)",
        lambda heard, name, side: _beside(heard, _opposite(side), name),
    ),
    (rf"Is the ([\w ]+?) ({SIDE}) the ([\w ]+)", _is_beside),
    (r"Is the ([\w ]+) bigger than the ([\w ]+)", _is_bigger),
    (r"Does the ([\w ]+) fit in the ([\w ]+)", lambda heard, one, other: _is_bigger(heard, other, one)),
    (r"How do you go from the (\w+) to the (\w+)", lambda heard, one, other: ",".join(_map(heard, one)[other][1])),
    (r"Where will (\w+) go", lambda heard, name: WAY[heard.qualities[name.capitalize()]]),
    (r"Why did (\w+) (?:go to|get) the \w+", lambda heard, name: heard.qualities[name.capitalize()]),
]


def _opposite(side: str) -> str:
    x, y = STEPS[side]
    return next(name for name, step in STEPS.items() if step == (-x, -y) and name.endswith(" of"))
