"""Bodies that remember and wait: steps once, first answer wins, parents see their children."""

import json
from collections.abc import Iterator

from runs.states import RunStatus
from tests.chaos.evidence import Evidence, Row
from tests.chaos.work import plain_output


def journal(e: Evidence) -> Iterator[str]:
    """One result for each step; nobody executes it again, everybody is answered with it."""
    steps = {
        (row["run_id"], row["name"]): row
        for row in e.journal
        if row["kind"] == "step" and row["status"] == "DONE"
    }
    for note in e.notes:
        row = steps.get((note.get("run", ""), note.get("name", "")))
        if row is None:
            continue
        again = note["what"] == "step-enter" and note["at"] > row["finished_at"]
        if again and not e.was_away(note["host"], note["at"]):
            yield f"{note['run']} executed {note['name']!r} again after its result was recorded."
        if note["what"] == "answer" and json.loads(row["result"]) != note["value"]:
            yield (
                f"{note['run']} was answered {note['value']} by {note['name']!r},"
                f" recorded is {row['result']}."
            )


def tokens(e: Evidence) -> Iterator[str]:
    """The first completion counts, for everybody who completes it and everybody who waits."""
    for line in e.log:
        if line["what"] == "completed" and line["done"]:
            row = e.tokens.get(line["token"])
            if row is None:
                yield f"Token {line['token']} was completed and is not in the database."
            elif row["output"] != line["done"] and line["done"] != "None":
                yield f"Token {row['id']} was completed with {line['done']} and has {row['output']}."
    for run, _ in e.of_kind("ask"):
        if run["status"] != RunStatus.COMPLETED:
            continue
        token = e.tokens[json.loads(run["payload"])["token"]]
        told, has = json.loads(run["output"]), token["status"] == "COMPLETED"
        if told["ok"] != has or (has and told["answer"] != json.loads(token["output"])):
            yield f"{run['id']} was told {told}, its token is {token['status']} {token['output']}."


def parents(e: Evidence) -> Iterator[str]:
    """What a parent got is what its children returned, all of them and no others."""
    children: dict[str, list[Row]] = {}
    for run in e.runs.values():
        if run["parent_id"]:
            children.setdefault(run["parent_id"], []).append(run)
    for run in e.runs.values():
        if run["status"] == RunStatus.COMPLETED and run["task_id"] in ("nest", "batch", "join"):
            yield from family(run, children.get(run["id"], []))


def family(run: Row, children: list[Row]) -> Iterator[str]:
    payload, output = json.loads(run["payload"]), json.loads(run["output"])
    if run["task_id"] == "nest":
        returned = [json.loads(c["output"]) for c in children if c["status"] == "COMPLETED"]
        wanted = [output["below"]] if output["below"] is not None else []
        if returned != wanted or (output["depth"] > 0) != bool(wanted):
            yield f"{run['id']} got {wanted} of children that returned {returned}."
        return
    wanted = [plain_output({"n": payload["n"] * 100 + n}) for n in range(payload["many"])]
    if output != wanted:
        yield f"{run['id']} ({run['task_id']}) got {output}."
    if run["task_id"] == "batch" and len(children) != payload["many"]:
        yield f"{run['id']} has {len(children)} children, {payload['many']} were asked for."
