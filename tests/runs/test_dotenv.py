import pytest

from runs.dotenv import parse
from runs.errors import InvalidOption

TEXT = """\ufeff# the mail service
MAIL_HOST=mail.example.com   # from the contract
export MAIL_PORT = 587
EMPTY=
  SPACED = "  as it is  "
HASH=a#b
QUOTED='single $HOME \\n "kept"'
DOUBLE="line one\\nline two \\"said\\" \\\\ \\$"
KEY="-----BEGIN KEY-----
MIIB
-----END KEY-----"   # of several lines
TICKS=`it's "both"`
LAST=1
LAST=2"""


def test_reads_the_usual_forms():
    assert parse(TEXT) == {
        "MAIL_HOST": "mail.example.com",
        "MAIL_PORT": "587",
        "EMPTY": "",
        "SPACED": "  as it is  ",
        "HASH": "a#b",
        "QUOTED": 'single $HOME \\n "kept"',
        "DOUBLE": 'line one\nline two "said" \\ $',
        "KEY": "-----BEGIN KEY-----\nMIIB\n-----END KEY-----",
        "TICKS": 'it\'s "both"',
        "LAST": "2",
    }


def test_lines_may_end_as_windows_ends_them():
    assert parse("A=1\r\n\r\nB=2\r\n") == {"A": "1", "B": "2"}
    assert parse("") == parse("\n \n# nothing\n") == {}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\nB", 2),
        ("\n\n=1", 3),
        ("A-B=1", 1),
        ('A="open', 1),
        ("A='a'b'", 1),
        ("\u00c4=1", 1),
        ("A=1\n<html>", 2),
    ],
)
def test_names_the_line_it_cannot_read(text, line):
    with pytest.raises(InvalidOption, match=f"Line {line} is not NAME=value"):
        parse(text)


def test_a_long_text_takes_no_time():
    assert parse('A="' + "x" * 100_000 + '"') == {"A": "x" * 100_000}
    with pytest.raises(InvalidOption):
        parse('A="' + "\\" * 100_001)
