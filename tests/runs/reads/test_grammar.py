import pytest

from runs.reads.grammar import GrammarError, parse, write


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("  status:failed   task:a ", "status:failed task:a"),
        ("status:failed status:CRASHED", "status:failed,crashed"),
        ("status:timed_out", "status:timed-out"),
        ("status:cancelled", "status:canceled"),
        ("tag:a tag:b -tag:c -tag:d", "tag:a,b -tag:c,d"),
        ("dur:>30s dur:<5m", "dur:>30s dur:<5m"),
        ('error:"mailbox is full"', 'error:"mailbox is full"'),
        (r'error:"a \"b\" \\ c"', r'error:"a \"b\" \\ c"'),
        ('tag:"plain"', "tag:plain"),
        ('tag:"a*"', 'tag:"a*"'),
        ('payload.n:">5"', 'payload.n:">5"'),
        ("payload.items[0].sku:x", "payload.items[0].sku:x"),
        ('metadata["a b"]:1', 'metadata["a b"]:1'),
        ("payload.url:https://x.y/z", "payload.url:https://x.y/z"),
        ("send mail", "send mail"),
        ("-send", "-send"),
        ("run:01k", "run:run_01k"),
        ("test:1 root:true", "test:yes root:yes"),
        ("TASK:x since:1h", "task:x after:1h"),
        ("attempts:2 attempts:>1", "attempts:2 attempts:>1"),
    ],
)
def test_reads_and_writes(text, canonical):
    assert write(parse(text)) == canonical
    assert parse(canonical) == parse(text)


def test_a_group_stands_for_its_statuses():
    assert parse("status:running")[0].texts == ("DEQUEUED", "EXECUTING")


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("status:failed taks:x", 14, "Did you mean task:?"),
        ("status:faild", 7, "Did you mean failed?"),
        ("task: x", 5, "task: needs a value"),
        ("task:a,", 7, "needs a value"),
        ('error:"never', 6, "never closed"),
        ('tag:""', 4, "Nothing stands"),
        ("dur:30s", 4, "dur:>30s"),
        ("dur:>soon", 4, "no length of time"),
        ("attempts:>many", 9, "no number"),
        ("after:yesterday", 6, "no time"),
        ("payload:42", 0, "payload.order_id:42"),
        ("payload.n:>x", 10, "no number"),
        ("x " * 41, 82, "at most 40 values"),
        ("tag:a\x00", 5, "U+0000"),
        ("x" * 2001, 2000, "at most 2000 characters"),
        ("customer:42", 0, "quotes"),
    ],
)
def test_says_where_it_stops_making_sense(text, at, words):
    with pytest.raises(GrammarError) as error:
        parse(text)
    assert error.value.at == at
    assert words in str(error.value)
