"""What a room says to its people, and what its agent reads of them, in words.

Pure: the records in, Markdown and deliveries out. The conversation decides when something is said; here is only how.
Titles, names and what people wrote are shown as they are, never taken for Markdown.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from actors.messages import (
    AgentReady,
    Attachment,
    Button,
    DeliveryKind,
    NewDelivery,
    Question,
    QuestionAsked,
    Queued,
    Room,
    SessionInfo,
    Turn,
    Usage,
    note_key,
)
from actors.phrases import ago, asking, code, counted, inert, lasting, money, short, tokens
from actors.rooms.reports import are_reports, called, is_report

__all__ = [
    "YES_NO",
    "answered",
    "begun",
    "blind",
    "busy",
    "cancelled",
    "congested",
    "crash",
    "dropped",
    "expired",
    "footer",
    "full",
    "held",
    "held_back",
    "hold",
    "kept",
    "late_answer",
    "prompt",
    "question",
    "sessions",
    "status",
    "steered",
    "usage",
    "whoami",
]

YES_NO: Final = ("Yes", "No")
"""The options of a question that is to be confirmed; the first one agrees."""

OLD: Final = 600.0
"""Seconds after which the agent is told how old a message is."""

_LABEL: Final = 64
_ONE_EACH: Final = 8
"""So many options have a row each; more are listed, and their buttons are numbers, that many in a row."""
_MOST_BUTTONS: Final = 96
_OPTION: Final = 200
"""Characters of an option that are shown in the text."""

Buttons = tuple[tuple[Button, ...], ...]


# --- answers to commands ----------------------------------------------------------------------------------------------


def status(
    room: Room,
    *,
    doing: str,
    since: float | None,
    queue: Sequence[Queued],
    held: Sequence[Queued] = (),
    ready: AgentReady | None,
    usage: Usage,
    turn: Turn | None,
    now: float,
) -> str:
    """What a room does. `doing`: in a few words, since `since` (Unix seconds, None: not told); `ready`: its agent."""
    lines = [f"{_named(room)}: {inert(doing)}" + ("" if since is None else f", for {lasting(now - since)}")]
    if turn is not None:
        attempt = f", attempt {turn.attempt}" if turn.attempt > 1 else ""
        lines.append(f"- working on: {_quoted(turn.inbounds)}{attempt}")
    if queue:
        lines.append(f"- waiting: {len(queue)}, next {_quoted(queue[:1])}")
    if held:
        lines.append(f"- held since a stop: {len(held)}, first {_quoted(held[:1])}")
    if ready is not None and ready.model is not None:
        thinking = f", thinking {inert(short(ready.thinking))}" if ready.thinking else ""
        lines.append(f"- model: {code(ready.model.id)}{thinking}")
    lines += _used(usage)
    lines.append(f"- session: {code(room.session_id)}")
    project = "" if room.project is None else f" (project {inert(short(room.project))})"
    lines.append(f"- workspace: {code(room.workspace)}{project}")
    if chosen := _chosen(room):
        lines.append(f"- set here: {chosen}")
    return "\n".join(lines)


def sessions(infos: Sequence[SessionInfo], current: str, now: float) -> str:
    """The sessions of a room; `current` is the one in use."""
    if not infos:
        return "This room has had no session yet."
    return "\n".join([*(_session(info, current, now) for info in infos), "", "Go back to one with /resume and its id."])


def _session(info: SessionInfo, current: str, now: float) -> str:
    turns = counted(info.turns, "turn")
    first = f": “{inert(short(info.first))}”" if info.first.strip() else ""
    use = "in use" if info.id == current else ago(now - info.used_at)
    return f"- {code(info.id)} {use}, {turns}{first}"


def whoami(command: Queued, room: Room) -> str:
    """Who wrote this command, as the service knows them."""
    role = "the owner" if command.owner else "a member"
    name = inert(short(command.name)) or "nameless"
    return f"You are {name} (id `{command.person}`), {role}. This is {_named(room)} at `{room.place}`."


def usage(usage: Usage, room: Room) -> str:
    """What the room's session has used."""
    said = f"- tokens: {tokens(usage.input)} in, {tokens(usage.output)} out"
    return "\n".join([f"Session {code(room.session_id)} so far:", "", said, *_used(usage)])


def footer(seconds: float, cost: float | None, files: int | None) -> str:
    """The last, plain line of an answer: how long it took, what it cost (US dollars), how many files it changed."""
    parts = [lasting(max(1.0, seconds))]
    if cost:
        parts.append(money(cost))
    if files:
        parts.append(f"{counted(files, 'file')} changed")
    return " · ".join(parts)


def _used(usage: Usage) -> list[str]:
    lines = []
    if usage.context is not None:
        share = f" of {tokens(usage.window)} ({usage.context / usage.window:.0%})" if usage.window else ""
        lines.append(f"- context: {tokens(usage.context)}{share}")
    if usage.cost:
        lines.append(f"- cost: {money(usage.cost)}")
    return lines


def _chosen(room: Room) -> str:
    """What people have set for this room, as far as it differs from what all rooms have."""
    own = room.settings
    said = [
        own.verbose != 1 and f"verbose {own.verbose}",
        own.listen and f"hears {own.listen}",
        own.muted and "muted",
        own.busy and f"while busy: {own.busy.replace('_', ' ')}",
    ]
    return ", ".join(word for word in said if word)


# --- a message that waits ---------------------------------------------------------------------------------------------


def busy(waiting: Queued, *, doing: str, since: float, place: int, capacity: int, now: float) -> NewDelivery:
    """The agent is busy and this message waits, the `place`th of `capacity`; three buttons say what becomes of it."""
    argument = str(waiting.id)
    buttons = (
        Button(label="Steer now", command="steer_it", argument=argument),
        Button(label="Keep", command="keep_it", argument=argument),
        Button(label="Drop", command="drop_it", argument=argument),
    )
    text = f"Busy for {lasting(now - since)}: {inert(doing)}. Yours is #{place} of {capacity}."
    return _about(waiting, text, (buttons,))


def begun(waiting: Queued) -> NewDelivery:
    """Its turn has come."""
    return _about(waiting, "The wait is over: working on this now.")


def dropped(waiting: Queued) -> NewDelivery:
    """It is never done."""
    return _about(waiting, "Dropped: this is not done.")


def kept(waiting: Queued) -> NewDelivery:
    """It stays where it is."""
    return _about(waiting, "Kept: this waits for its turn.")


def steered(waiting: Queued) -> NewDelivery:
    """It has joined the turn that runs."""
    return _about(waiting, "Joined the running turn: the agent hears this at its next step.")


def held_back(waiting: Queued) -> NewDelivery:
    """A stop has held it."""
    return _about(waiting, "Held since the stop: this waits until you say Run or Drop.")


def held(count: int) -> str:
    """So many messages are held since a stop."""
    if count == 1:
        return "1 message that waited is held: run it or drop it?"
    return f"{count} messages that waited are held: run them or drop them?"


def hold(argument: str = "") -> Buttons:
    """What can be done with them. `argument`: the key of the delivery with these buttons, which then says what was."""
    run = Button(label="Run", command="run_held", argument=argument)
    return ((run, Button(label="Drop", command="drop_held", argument=argument)),)


def congested(waiting: Queued, backlog: int) -> NewDelivery:
    """It does not begin yet, because so much that was said before has not arrived."""
    text = f"{backlog} messages for this chat have not arrived yet. This one begins when most of them have."
    return _about(waiting, text)


def full(most: int, key: str) -> NewDelivery:
    """A room has to wait, because as many others as there may be are at work."""
    text = f"All {most} rooms that may be at work are busy: this one begins as soon as one of them is done."
    return NewDelivery(kind=DeliveryKind.NOTE, text=text, key=key)


def _about(waiting: Queued, text: str, buttons: Buttons = ()) -> NewDelivery:
    """The one note about a waiting message, which changes with what becomes of it."""
    return NewDelivery(
        kind=DeliveryKind.NOTE,
        text=text,
        reply_to=waiting.message_id,
        buttons=buttons,
        key=note_key(waiting.id),
    )


# --- questions --------------------------------------------------------------------------------------------------------


def question(asked: QuestionAsked, reply_to: int | None) -> NewDelivery:
    """The agent's question with a button for each option. `{id}`, which the store knows, stands for the question's."""
    options = asked.options or (YES_NO if asked.method == "confirm" else ())
    labels = [short(option, _LABEL) or "(empty)" for option in options]
    many = len(options) > _ONE_EACH
    paragraphs = [asking(asked.title, asked.text)]
    if many or any(label != option for label, option in zip(labels, options, strict=True)):
        longest = _LABEL if many else _OPTION
        paragraphs.append(
            "\n".join(f"{at}\\. {inert(short(words, longest)) or '(empty)'}" for at, words in enumerate(options, 1))
        )
    if not options:
        paragraphs.append("Your next message is the answer.")
    elif len(options) > _MOST_BUTTONS:
        paragraphs.append(f"Those after {_MOST_BUTTONS} are chosen by their words.")
    if asked.timeout is not None:
        paragraphs.append(f"It waits for {lasting(asked.timeout)}.")
    if many:
        labels = [str(number) for number in range(1, min(len(options), _MOST_BUTTONS) + 1)]
    buttons = [Button(label=label, command="answer", argument=f"{{id}} {at}") for at, label in enumerate(labels)]
    width = _ONE_EACH if many else 2 if asked.method == "confirm" else 1
    return NewDelivery(
        kind=DeliveryKind.QUESTION,
        text="\n\n".join(paragraph for paragraph in paragraphs if paragraph),
        reply_to=reply_to,
        buttons=tuple(tuple(buttons[at : at + width]) for at in range(0, len(buttons), width)),
        key="question:{id}",
    )


def answered(question: Question, answer: str) -> NewDelivery:
    """The question's message once somebody has answered. `answer`: the chosen option's words, or those they wrote."""
    return _over(question, answer.strip() or "(empty)")


def expired(question: Question) -> NewDelivery:
    """The question's message once its time is up."""
    return _over(question, "nobody answered in time")


def cancelled(question: Question) -> NewDelivery:
    """The question's message once nobody waits for an answer any more."""
    return _over(question, "not asked any more")


def late_answer(question: Question, answer: str) -> str:
    """The prompt that an answer becomes whose question was cut off with its turn. The agent reads it."""
    asked = "\n".join(part for part in (question.title, question.text) if part.strip())
    return f"You asked this, and were interrupted before the answer came:\n\n{_cited(asked)}\n\nThe answer is: {answer}"


def _over(question: Question, outcome: str) -> NewDelivery:
    text = asking(question.title, question.text, outcome)
    return NewDelivery(kind=DeliveryKind.QUESTION, text=text, key=f"question:{question.id}")


# --- trouble ----------------------------------------------------------------------------------------------------------


def crash(turn: str | None) -> Buttons:
    """The buttons under a report of trouble. `turn`: the one that may be tried again, None if there is none."""
    retry = () if turn is None else (Button(label="Try again", command="retry", argument=turn),)
    return ((*retry, Button(label="New session", command="new"), Button(label="Log", command="log")),)


def blind(model: str) -> str:
    """Pictures came, and this model sees none."""
    return f"{code(model)} sees no pictures: the agent only knows where they are saved."


# --- what the agent reads ---------------------------------------------------------------------------------------------


def prompt(
    inbounds: Sequence[Queued],
    *,
    images_seen: bool,
    failed: Mapping[int, str],
    now: float,
    group: bool = False,
) -> str:
    """The messages of one turn as one text for the agent; a single plain one is just its words.

    `images_seen`: the pictures among the files go to the model beside this text. `failed`: why an attachment (by its
    id) could not be fetched. `group`: several people may speak here, so each says who it is.
    """
    parts = []
    before: Queued | None = None
    for row in inbounds:
        parts += _said(row, before, now=now, group=group)
        before = row
    files = [
        _file(file, images_seen=images_seen, why=failed.get(file.id)) for row in inbounds for file in row.attachments
    ]
    if files:
        parts.append("\n".join(["[Files that came with this; paths are relative to the workspace]", *files]))
    return "\n\n".join(parts)


def _said(row: Queued, before: Queued | None, *, now: float, group: bool) -> list[str]:
    """One message's paragraphs: what there is to know about it, what it quotes, its words. `before`: the one above.

    A report says by itself whose it is and what it is about.
    """
    if is_report(row):
        return [row.text.strip()]
    about = []
    if group and (before is None or before.person != row.person):
        about.append(short(row.name) or f"person {row.person}")
    if now - row.at > OLD and (before is None or row.at - before.at > OLD):
        down = ", while the service was down" if row.accepted_at - row.at > OLD else ""
        about.append(f"sent {ago(now - row.at)}{down}")
    paragraphs = [row.text.strip()]
    if row.quoted.strip() and (before is None or before.quoted != row.quoted):
        about.append("with this context")
        paragraphs.insert(0, _cited(row.quoted))
    if about:
        paragraphs[0] = f"[{', '.join(about)}]\n{paragraphs[0]}".rstrip()
    return [paragraph for paragraph in paragraphs if paragraph]


def _file(file: Attachment, *, images_seen: bool, why: str | None) -> str:
    if why is not None or file.path is None:
        return f"- {short(file.name, 200)}: not saved, {short(why or 'it was not fetched', 300)}"
    if file.picture:
        kind = "a picture, which you see here" if images_seen else "a picture, which you cannot see"
    else:
        kind = short(file.mime) or "a file"
    return f"- {file.path} ({kind})"


def _cited(text: str) -> str:
    """A block that nothing in it can end: each of its lines is marked."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


# --- pieces -----------------------------------------------------------------------------------------------------------


def _named(room: Room) -> str:
    title = inert(short(room.title))
    return f"**{title}** ({code(room.slug)})" if title else code(room.slug)


def _quoted(rows: Sequence[Queued]) -> str:
    """The beginning of what these messages say, or of what came without words; reports by their names."""
    if are_reports(rows):
        return called(rows)
    words = short(" ".join(row.text for row in rows))
    if words:
        return f"“{inert(words)}”"
    return counted(sum(len(row.attachments) for row in rows), "file")
