"""The ways to fill in a payload on the Test page: JSON text, a form from the schema, lines of many."""

from dataclasses import dataclass, field

from django.http import QueryDict

from dashboard.pages import schema_form
from dashboard.pages.schema_form import Input, NoForm, WrongInputs
from runs import payloads
from runs.errors import InvalidOption, InvalidPayload
from runs.lifecycle import TriggerItem, TriggerOptions

JSON, FORM, LINES = "json", "form", "lines"
WAYS = {FORM: "Form", JSON: "JSON", LINES: "Many"}
#: Runs one form may make.
MOST_LINES = 100
#: Problems of lines that are told.
MOST_PROBLEMS = 20


@dataclass(slots=True)
class Editor:
    """Which way it is, and what it shows."""

    way: str
    inputs: list[Input] = field(default_factory=list)
    #: Why there is no form, where there is none.
    why_not: str = ""
    #: What is wrong about the lines.
    problems: list[str] = field(default_factory=list)

    @property
    def ways(self) -> list[tuple[str, str, bool]]:
        """(way, word, whether it is this one) of those there are."""
        there = [way for way in WAYS if way != FORM or self.inputs]
        return [(way, WAYS[way], way == self.way) for way in there]


def shown(schema: str, text: str, wanted: str) -> Editor:
    """The editor for a payload: as it was asked for, as far as that can be."""
    editor = Editor(wanted if wanted in WAYS else JSON)
    try:
        editor.inputs = schema_form.inputs(schema, text)
    except NoForm as reason:
        editor.why_not = str(reason) if schema else "The task declares no schema to make one of."
        editor.way = JSON if editor.way == FORM else editor.way
    return editor


def taken(schema: str, data: QueryDict) -> tuple[QueryDict, dict[str, str]]:
    """What was sent with the payload made of the form's inputs, and what is wrong about those."""
    if data.get("editor") != FORM:
        return data, {}
    made = data.copy()
    try:
        made["payload"] = schema_form.filled(schema, data.get("payload", ""), texts(data))
    except WrongInputs as wrong:
        return data, wrong.problems
    except NoForm:  # it changed meanwhile; the text is what was sent
        return data, {}
    return made, {}


def texts(data: QueryDict) -> dict[str, str]:
    """What was sent, the last of each name."""
    return {name: str(text) for name, text in data.items()}


def items(
    task_id: str, schema: str, lines: str, options: TriggerOptions
) -> tuple[list[TriggerItem], list[str]]:
    """A run for each line that is not empty, and what is wrong about them by their numbers."""
    found, problems = [], []
    if options.idempotency_key:
        return [], ["An idempotency key would make one run of all lines. Leave it empty."]
    for number, line in enumerate(lines.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(_item(task_id, schema, line, options))
        except (InvalidPayload, InvalidOption) as error:
            problems.append(f"Line {number}: {error}")
    if not found and not problems:
        problems = ["There is no line. Each line is the payload of one run."]
    if len(found) + len(problems) > MOST_LINES:
        problems.insert(0, f"{len(found) + len(problems)} lines; at most {MOST_LINES} are taken.")
    return found, problems[:MOST_PROBLEMS]


def _item(task_id: str, schema: str, line: str, options: TriggerOptions) -> TriggerItem:
    text = payloads.clean(line)
    if schema:
        payloads.check(schema, text)
    return TriggerItem(task_id=task_id, payload=text, options=options)
