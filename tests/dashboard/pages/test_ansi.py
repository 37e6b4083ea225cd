import pytest

from dashboard.pages.ansi import plain, shown


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain <b>", "plain &lt;b&gt;"),
        ("\x1b[31mred\x1b[0m on", '<span class="a-bad">red</span> on'),
        ("\x1b[1;92mok\x1b[22m still", '<span class="a-ok a-bold">ok</span><span class="a-ok"> still</span>'),
        ("\x1b[38;5;3myellow\x1b[39m.", '<span class="a-warn">yellow</span>.'),
        ("\x1b[38;2;9;9;9mx\x1b[48;5;1my", "xy"),
        ("\x1b[2K\x1b[1Gdone\x1b]8;;http://x\x07link\x1b]8;;\x07", "donelink"),
        ("\x1b[31m<img src=x>", '<span class="a-bad">&lt;img src=x&gt;</span>'),
        ("cut off \x1b[", "cut off "),
        ("\x1b[38m\x1b[38;5m\x1b[;;m.", "."),
    ],
)  # fmt: skip
def test_colours_become_classes_and_nothing_else_comes_through(text, html):
    assert shown(text) == html


def test_plain_text_has_none():
    assert plain("\x1b[31mred\x1b[0m") == "red"


def test_a_flood_of_escapes_finishes_quickly():
    shown("\x1b[" + "1;" * 50_000 + "m" + "\x1b[31m" * 20_000)
