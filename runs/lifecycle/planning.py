"""What is checked and settled of new runs before they are stored."""

from collections.abc import Sequence
from dataclasses import replace

from runs import payloads
from runs.errors import InvalidOption, RunsError
from runs.keypaths import key_at
from runs.lifecycle import checks, definitions
from runs.lifecycle.options import TriggerItem, TriggerOptions
from runs.lifecycle.rows import Maker, Plan


class Planner:
    """Plans items, the ones that ask for the same only once."""

    def __init__(self, maker: Maker, validated: bool) -> None:
        self.maker, self._validated = maker, validated
        #: Whether some task of these has an overlap policy.
        self.has_lanes = False
        self._known: dict[tuple[str, TriggerOptions], Plan] = {}
        self._facts: dict[str, definitions.TaskFacts] = {}

    def plans(self, items: Sequence[TriggerItem]) -> list[Plan]:
        """The plan of each item; an error says which item it is about when there are several."""
        return [self._numbered(index, item, len(items)) for index, item in enumerate(items)]

    def _numbered(self, index: int, item: TriggerItem, count: int) -> Plan:
        try:
            return self._planned(item)
        except RunsError as error:
            if count > 1:
                error.args = (f"Item {index}: {error}",)
            raise

    def _planned(self, item: TriggerItem) -> Plan:
        facts = self._facts_of(item.task_id)
        item = keyed(item, facts.key_path)
        asked = item.task_id, item.options
        plan = self._known.get(asked)
        if plan is None:
            _check(item)
        if facts.schema and not self._validated:
            payloads.check(facts.schema, "null" if item.payload is None else item.payload)
        if plan is None:
            plan = self._known[asked] = self._plan(item, facts)
            self.has_lanes = self.has_lanes or plan.lane is not None
        return plan

    def _plan(self, item: TriggerItem, facts: definitions.TaskFacts) -> Plan:
        try:
            return Plan(item, facts, self.maker)
        except InvalidOption as error:
            raise named(error, item.task_id) from None

    def _facts_of(self, task_id: str) -> definitions.TaskFacts:
        if task_id not in self._facts:
            checks.task_id(task_id)
            self._facts[task_id] = definitions.task(task_id)
        return self._facts[task_id]


def _check(item: TriggerItem) -> None:
    try:
        checks.item(item)
    except InvalidOption as error:
        raise named(error, item.task_id) from error.__cause__


def named(error: InvalidOption, task_id: str) -> InvalidOption:
    """The error says which task it is about."""
    error.args = (f"Task “{task_id}”: {error}",)
    return error


def keyed(item: TriggerItem, path: str) -> TriggerItem:
    """The item with the concurrency key that its task finds in the payload."""
    if not path or item.options.concurrency_key is not None:
        return item
    return replace(item, options=replace(item.options, concurrency_key=key_at(path, item.payload)))
