"""Task 20: a state of mind, where it leads to, and what it makes one take."""

from __future__ import annotations

from .world import VERBS, Draws, Story

PEOPLE = ("Antoine", "Jason", "Sumit", "Yann")
MOTIVES = {
    "hungry": ("kitchen", "apple"),
    "thirsty": ("kitchen", "milk"),
    "bored": ("garden", "football"),
    "tired": ("bedroom", "pajamas"),
}


def agents_motivations(story: Story, draws: Draws) -> None:
    """Task 20: where will Yann go, why did he go there, and why did he take that?

    The next of a person's three lines is told of anyone who has one left, and a question follows each. A thing is
    taken by the first to come to it, and the story ends when nobody has anything left to do.
    """
    motives = {name: draws.choice(tuple(MOTIVES)) for name in PEOPLE}
    done = dict.fromkeys(PEOPLE, 0)
    lines: dict[str, int] = {}
    taken: set[str] = set()
    while able := [name for name in PEOPLE if done[name] < 2 or (done[name] == 2 and motives[name] not in taken)]:
        name = draws.choice(able)
        motive, low = motives[name], name.lower()
        place, thing = MOTIVES[motive]
        if done[name] == 0:
            lines[name] = story.tell(f"{name} is {motive}.")
            question, answer = f"Where will {low} go?", place
        elif done[name] == 1:
            story.tell(f"{name} {draws.choice(VERBS['move'])} the {place}.")
            question, answer = f"Why did {low} go to the {place}?", motive
        else:
            story.tell(f"{name} {draws.choice(VERBS['get'])} the {thing} there.")
            question, answer = f"Why did {low} get the {thing}?", motive
            taken.add(motive)
        done[name] += 1
        story.ask(question, answer, [lines[name]])
