"""Task 5: who gave what to whom."""

from __future__ import annotations

from .moving import QUESTIONS
from .world import HANDING_ON, WINDOW, Draws, Event, Story, World, say

PEOPLE = ("Bill", "Fred", "Jeff", "Mary")


def _questions(event: Event) -> list[tuple[str, str]]:
    giver, thing, receiver = event.actor, event.target, event.receiver
    return [
        (f"What did {giver} give to {receiver}? ", thing),
        (f"Who received the {thing}? ", receiver),
        (f"Who gave the {thing}? ", giver),
        (f"Who did {giver} give the {thing} to? ", receiver),
        (f"Who gave the {thing} to {receiver}? ", giver),
    ]


def three_arg_relations(story: Story, draws: Draws) -> None:
    """Task 5: one question in three is what was given, and the last gift of the kind counts."""
    world = World(draws, HANDING_ON, people=PEOPLE)
    told: list[tuple[int, Event]] = []
    while story.questions < QUESTIONS:
        for _ in range(2):
            event = world.act()
            told.append((story.tell(say(event, draws)), event))
        gifts = {event.target: (line, event) for line, event in told if event.kind == "give"}
        between = {(event.actor, event.receiver): line for line, event in told if event.kind == "give"}
        recent = [event.target for _, event in told[-WINDOW:] if event.kind == "give"]
        if recent:
            line, event = gifts[draws.choice(recent)]
            what, *who = _questions(event)
            last = between[event.actor, event.receiver] == line
            question, answer = what if draws.chance(1 / 3) and last else draws.choice(who)
            story.ask(question, answer, [line])
