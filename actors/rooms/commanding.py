"""The commands that wait in a room: when each may be carried out, and what follows from those that are more than words.

Pure; a part of `turns`. A command waits in the store until it is answered, so it may be taken again after a crash. What
is answered at once is `replies`' business.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from actors import commands
from actors.messages import Binding, Button, Compacted, ModelSet, Queued, SessionInfo
from actors.phrases import code, inert, tokens
from actors.rooms import delegating, words
from actors.rooms.ends import STOPPED, note
from actors.rooms.line import LOOK_EVERY, Line, groups
from actors.rooms.questions import Questions, read
from actors.rooms.replies import View, known_projects, reply, said
from actors.rooms.steps import Answer, LookAgain, PassOn, Phase, RestartAgent, SendCompact, SendModel, Step

LEVELS: Final = ("off", "minimal", "low", "medium", "high", "xhigh", "max")
"""How much a model may be told to think."""
MOST_BUTTONS: Final = 8
WORDS_LEFT: Final = "The words behind the command were not sent on: send them as a message of their own."

_LAST: Final = ("stop", "new", "resume", "topic")
"""Those that end what runs, and are answered when it has ended."""
_BEFORE_RUN: Final = (Phase.IDLE, Phase.BEGINNING, Phase.FETCHING, Phase.RECALLING)


class Commands:
    """What people command in one room. `stop`: one of them wants the turn to end, and waits for that."""

    def __init__(self, projects: Mapping[str, Path], line: Line, questions: Questions) -> None:
        self.stop = False
        self._projects = projects
        self._line = line
        self._questions = questions
        self._waiting: dict[int, Queued] = {}
        self._in_hand: set[int] = set()
        self._deciding: set[int] = set()  # of these, those that change what is held
        self._passed_on: set[int] = set()  # and those that are somebody else's to answer
        self._looking = False  # for the answers to those
        self._setting: Queued | None = None
        self._compacting: Queued | None = None
        self._summary_unwanted = False  # a command waits for its end

    @property
    def done(self) -> bool:
        """Whether none waits."""
        return not self._waiting

    @property
    def deciding(self) -> bool:
        """Whether what waits is about to change: the pull that follows that answer says what stands first then."""
        return bool(self._deciding)

    @property
    def stopping(self) -> bool:
        """Whether one waits that ends what runs."""
        return self.stopper is not None

    @property
    def stopper(self) -> int | None:
        """The id of the first of those, which says what is held if that was not said yet."""
        waiting = (row for row in self._waiting.values() if row.id not in self._in_hand)
        return next((row.id for row in waiting if row.command in _LAST), None)

    def update(self, rows: Sequence[Queued]) -> None:
        """The commands that wait, as they are now."""
        self._waiting = {row.id: row for row in rows}
        self._in_hand &= self._waiting.keys()
        self._deciding &= self._waiting.keys()
        self._passed_on &= self._waiting.keys()
        self._looking = False

    def take(self, view: View) -> list[Step]:
        """What follows from those that need not wait any longer."""
        self.stop, unwanted = False, self._summary_unwanted
        steps: list[Step] = []
        for command in self._waiting.values():
            if command.id in self._in_hand:
                continue
            taken = self._take(command, view)
            if taken is None:
                continue
            self._in_hand.add(command.id)
            steps += taken
            view = self._after(taken, view)
            if any(isinstance(step, Answer) and step.held is not None for step in taken):
                self._deciding.add(command.id)
            if any(isinstance(step, PassOn) for step in taken):
                self._passed_on.add(command.id)
            if any(isinstance(step, Answer) and (step.fresh or step.session is not None) for step in taken):
                break  # what is left belongs to that session; the pull that follows an answer brings it back
        if self._summary_unwanted and not unwanted:
            steps.append(RestartAgent())  # pi writes a summary when it is whole, and keeps nothing of this one
        if self._passed_on and not self._looking:
            steps.append(LookAgain(LOOK_EVERY))
            self._looking = True
        return steps

    def _after(self, taken: Sequence[Step], view: View) -> View:
        """The room as the next command finds it."""
        if self._compacting is not None:
            view = view._replace(phase=Phase.COMPACTING)
        for step in taken:
            if isinstance(step, Answer) and step.settings is not None:
                view = view._replace(room=msgspec.structs.replace(view.room, settings=step.settings))
        return view

    # --- what the agent says

    def compacted(self, event: Compacted) -> list[Step]:
        """The session is shorter now, or it is not."""
        if event.error:
            text = f"The session was not summarised: {inert(event.error)}"
        else:
            text = f"Summarised: the session was {tokens(event.before)} tokens long, now it is {tokens(event.after)}."
        return self._end_summary(text)

    def model_set(self, event: ModelSet, view: View) -> list[Step]:
        """The agent uses another model or level now, or it does not."""
        command, self._setting = self._setting, None
        if command is None:
            return []
        if event.error:
            return said(command, f"That was not possible: {inert(event.error)}")
        settings = view.room.settings
        if command.command == "model" and event.model is not None:
            settings = msgspec.structs.replace(settings, model=event.model.id)
            text = f"The model is {code(event.model.id)} now."
        else:
            settings = msgspec.structs.replace(settings, thinking=event.thinking)
            text = f"Thinking is {inert(event.thinking)} now."
        return [Answer(command, (note(text, command.message_id),), settings=settings)]

    def cut_off(self) -> list[Step]:
        """The agent is gone; what it was asked for is asked again, but a compaction is given up."""
        self._in_hand -= self._questions.cut_off()
        if self._setting is not None:
            self._in_hand.discard(self._setting.id)
            self._setting = None
        return self._end_summary("The session was not summarised: its agent has ended.")

    def refused(self) -> None:
        """The agent has not heard what it was to go on with."""
        self._in_hand -= self._questions.cut_off()

    def held_answers(self) -> list[str]:
        """The answers to questions that were cut off, for the note that makes the agent go on."""
        held = [row for row in self._waiting.values() if row.command == "answer" and row.id not in self._in_hand]
        self._in_hand |= {row.id for row in held}
        for row in held:
            self._questions.tell_late(row)
        return [read(row)[1] for row in held]

    def _end_summary(self, text: str) -> list[Step]:
        command, self._compacting, self._summary_unwanted = self._compacting, None, False
        return [] if command is None else said(command, text)

    # --- one command

    def _take(self, command: Queued, view: View) -> list[Step] | None:
        """What follows from a command; None if it has to wait."""
        name, argument = command.command or "", commands.argument(command.text).strip()
        match name:
            case _ if name in _LAST:
                return self._take_last(command, argument, view)
            case "compact":
                return self._compact(command, argument, view)
            case "model" | "think":
                return self._set(command, argument, view)
            case "answer":
                return self._answer(command, view)
            case "steer_it" | "keep_it" | "drop_it":
                return self._choose(command, argument)
            case "run_held" | "drop_held":
                return self._decide(command, argument)
            case _:
                return _with_words_left(reply(command, view, self._projects), command, argument)

    def _take_last(self, command: Queued, argument: str, view: View) -> list[Step] | None:
        """Those that end what runs, and are answered when it has ended."""
        room = view.room
        found = _session(view.known.sessions, argument)
        if command.command == "resume" and (found is None or found.id == room.session_id):
            return said(command, _not_resumed(argument, found, view))
        if command.command == "topic" and argument not in self._projects:
            return said(command, f"Write /topic and a project. {known_projects(self._projects)}")
        if self._hold(command, view):
            return None
        kept = f"The old one is kept as {code(room.session_id)}: /resume goes back to it."
        if going_on := delegating.going_on(view.known.subagents, room.slug):
            kept = f"{kept} {going_on}"
        match command.command:
            case "stop":
                ended = "The summary is given up." if view.phase is Phase.COMPACTING else "Nothing is running."
                if not command.saw_end:
                    done = self._holding(command, f"{ended} {going_on}".rstrip())
                elif self._line.unannounced:  # what it stopped did not say so: it was just ending
                    done = self._holding(command, f"{STOPPED} {going_on}".rstrip())
                else:
                    done = Answer(command, (note(going_on, command.message_id),) if going_on else ())
            case "new":
                done = self._holding(command, f"A new session begins. {kept}")._replace(fresh=True)
            case "topic":
                binding = Binding(project=argument, workspace=str(self._projects[argument]))
                text = f"This room works in {code(binding.workspace)} now, in a new session. {kept}"
                done = self._holding(command, text)._replace(fresh=True, binding=binding, held="hold")
            case _:
                assert found is not None
                text = f"The session {code(found.id)} goes on. {kept}"
                done = self._holding(command, text)._replace(session=found.id, held="hold")
        left = [] if command.command == "stop" else self._questions.leave()
        return [*left, *_with_words_left([done], command, argument)]

    def _hold(self, command: Queued, view: View) -> bool:
        """Whether the command has to wait until what it stops is over."""
        if view.phase is Phase.COMPACTING:
            self._summary_unwanted = True
            return command.command != "stop"
        if view.turn is None and view.phase is Phase.IDLE:
            return False
        self.stop = True
        return True

    def _holding(self, command: Queued, text: str) -> Answer:
        """The answer to what has stopped the room, with a word about what is held, unless its turn has said that."""
        # What waits when `stop` or `new` is accepted is held with that; the others find it waiting still.
        waits = [row for row in self._line.rows if row.id < command.id and command.command in ("resume", "topic")]
        said = command.saw_end and not waits and not self._line.unannounced
        held = 0 if said else self._line.announce(waits)
        if not held:
            return Answer(command, (note(text, command.message_id),))
        key = f"held:{command.id}"
        told = note(f"{text} {words.held(held)}", command.message_id)
        return Answer(command, (msgspec.structs.replace(told, buttons=words.hold(key), key=key),))

    def _compact(self, command: Queued, instructions: str, view: View) -> list[Step] | None:
        if view.failed:
            return said(command, "The agent of this room does not run, so the session was not summarised.")
        if view.phase is not Phase.IDLE or view.turn is not None or view.ready is None:
            return None
        self._compacting = command
        return [SendCompact(instructions)]

    def _set(self, command: Queued, argument: str, view: View) -> list[Step] | None:
        """`model` and `think`: shown if no word is behind them, else set by the agent, which knows what is possible."""
        wants_model = command.command == "model"
        if not argument:
            return _choices(command, view)
        if not wants_model and argument not in LEVELS:
            return said(command, f"Write /think and a level: {', '.join(LEVELS)}.")
        if view.ready is None and view.failed:
            # Perhaps it is the old model that keeps it from starting: the next start takes the new one.
            change = {"model": argument} if wants_model else {"thinking": argument}
            settings = msgspec.structs.replace(view.room.settings, **change)
            text = f"The agent will start with {code(argument)}."
            return [Answer(command, (note(text, command.message_id),), settings=settings)]
        if view.ready is None or self._setting is not None or view.phase is Phase.COMPACTING:
            return None
        self._setting = command
        if wants_model:
            return [SendModel(_model(argument, [each.id for each in view.ready.models]), None)]
        return [SendModel(None, argument)]

    def _answer(self, command: Queued, view: View) -> list[Step] | None:
        given = self._questions.answer(command)
        if given is not None:
            return given
        if view.turn is not None and view.phase in _BEFORE_RUN:
            return None  # its question was cut off: the note that makes the agent go on carries it
        number, answer = read(command)
        left = self._questions.left.get(number)
        text = answer if left is None else words.late_answer(left, answer)
        buttons = ((Button(label="Send as message", command="text", argument=text),),) if answer else ()
        return said(command, "Nobody waits for this answer any more.", buttons)

    def _choose(self, command: Queued, argument: str) -> list[Step]:
        """The buttons under the note about a message that waits."""
        drop = command.command == "drop_it"
        group = self._line.group_of(int(argument), or_held=drop) if argument.isdecimal() else ()
        if not group:
            return said(command, "That message does not wait any more.")
        if drop:
            self._line.leave([row.id for row in group])
            marked = tuple(row.message_id for row in group if row.message_id is not None)
            return [Answer(command, (words.dropped(group[0]),), drop=group[0].id, receipts=marked)]
        keep = command.command == "keep_it"
        self._line.choose(group, "follow_up" if keep else "steer")
        return [Answer(command, (words.kept(group[0]),) if keep else ())]

    def _decide(self, command: Queued, key: str) -> list[Step]:
        """The buttons under the word about what is held. `key`: of that delivery, which says from now on what was."""
        held, run = groups(self._line.held), command.command == "run_held"
        others = self._waiting.values()
        if any(each.command in ("stop", "new") and each.id > command.id for each in others):
            return [Answer(command)]  # a later stop says what is held now
        if any(each.command in ("run_held", "drop_held") and each.id in self._in_hand for each in others):
            return [Answer(command)]  # the first word counts
        count = "1 held message" if len(held) == 1 else f"{len(held)} held messages"
        if not held:
            text = "Nothing is held any more."
        elif run:
            text = f"{count} {'goes' if len(held) == 1 else 'go'} on now."
        else:
            text = f"Dropped: {count}, not done."
        told = note(text, command.message_id)
        if key.startswith("held:"):
            told = msgspec.structs.replace(told, reply_to=None, key=key)
        if not held:
            return [Answer(command, (told,))]
        if run:
            return [Answer(command, (told,), held="run")]
        dropped = tuple(words.dropped(group[0]) for group in held if self._line.was_told(group))
        marked = tuple(row.message_id for group in held for row in group if row.message_id is not None)
        return [Answer(command, (told, *dropped), receipts=marked, held="drop")]


def _with_words_left(steps: list[Step], command: Queued, argument: str) -> list[Step]:
    """The steps, with a word about words that nobody reads."""
    name = command.command or ""
    if not argument or name not in dict(commands.menu()) or commands.takes_words(name):
        return steps
    first, *rest = steps
    if not isinstance(first, Answer):
        return steps
    return [first._replace(deliveries=(*first.deliveries, note(WORDS_LEFT, command.message_id))), *rest]


def _session(sessions: Sequence[SessionInfo], wanted: str) -> SessionInfo | None:
    """The session with this id, or the only one that begins or ends so."""
    like = [each for each in sessions if wanted and (each.id.startswith(wanted) or each.id.endswith(wanted))]
    exact = next((each for each in sessions if each.id == wanted), None)
    return exact or (like[0] if len(like) == 1 else None)


def _not_resumed(argument: str, found: SessionInfo | None, view: View) -> str:
    if found is not None:
        return f"The session {code(found.id)} is the one in use."
    if not argument:
        return words.sessions(view.known.sessions, view.room.session_id, view.known.now)
    return f"This room has no session {code(argument)}; /sessions shows those that it has."


def _model(wanted: str, ids: Sequence[str]) -> str:
    """The model that is meant: the only one with these letters in its id, or just what was written."""
    like = [each for each in ids if wanted.lower() in each.lower()]
    return like[0] if wanted not in ids and len(like) == 1 else wanted


def _choices(command: Queued, view: View) -> list[Step]:
    """What is used now, with buttons for what else could be."""
    ready, settings = view.ready, view.room.settings
    if command.command == "think":
        level = (ready.thinking if ready is not None else settings.thinking) or "what the configuration says"
        buttons = tuple((Button(label=each, command="think", argument=each),) for each in LEVELS)
        return said(command, f"Thinking is {inert(level)}. Write /think and a level, or choose:", buttons)
    now = ready.model.id if ready is not None and ready.model is not None else settings.model
    text = "The agent is not ready yet." if now is None else f"The model is {code(now)}."
    ids = [each.id for each in ready.models if each.id != now] if ready is not None else []
    buttons = tuple((Button(label=each, command="model", argument=each),) for each in ids[:MOST_BUTTONS])
    return said(command, f"{text} Write /model and an id to use another.", buttons)
