"""Large payloads take the client's way around: uploaded first, then named by the trigger."""

import json

import pytest

from runs.models import Batch, Run

pytestmark = pytest.mark.acceptance
LARGE, HUGE = 140_000, 800_000


def test_a_large_payload_is_uploaded_and_the_task_gets_it(js, calm):
    made = js("packets.large", "work", LARGE)
    calm.accepted.append(made["id"])
    assert json.loads(calm.completed(made["id"]).output) == {"big": "x" * LARGE}


def test_text_and_items_of_batches_are_uploaded_too(js, calm):
    text = js("packets.largeText", "echo", LARGE)
    batch = js("packets.largeBatch", "echo", LARGE)
    runs = sorted(Batch.objects.get(pk=batch["batchId"]).placed_runs)
    calm.accepted += [text["id"], *(run_id for _, run_id in runs)]
    assert json.loads(calm.completed(text["id"]).payload) == "é" * (LARGE // 2)
    outputs = [json.loads(calm.completed(run_id).output) for _, run_id in runs]
    assert outputs == [{"big": "x" * LARGE}, 2]


def test_what_is_too_large_for_an_answer_is_fetched_by_its_address(js, calm):
    made = js("packets.large", "work", HUGE)
    calm.accepted.append(made["id"])
    run = calm.completed(made["id"])
    size = len(Run.objects.get(pk=made["id"]).payload)
    told = js("packets.sizes", run.pk)
    assert told == {"payload": size, "output": size, "linked": ["string", "string"]}
    fetched = js("packets.download", run.pk, "output")
    assert (fetched["status"], fetched["kind"]) == (200, "application/json")
    assert fetched["text"] == run.output
