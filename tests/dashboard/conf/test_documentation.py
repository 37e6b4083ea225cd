import re
from pathlib import Path

from runs import conf

PAGE = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"


def test_every_setting_is_documented_with_its_default():
    rows = re.findall(r"^\| `(\w+)` \| (\S+|`.*?`) \| \S", PAGE.read_text(), re.M)
    documented = {name: default for name, default in rows if name in conf.DEFAULTS}
    assert set(documented) == set(conf.DEFAULTS)
    numbers = {name: float(text) for name, text in documented.items() if text.isdecimal()}
    # WORKERS is listed twice, as a variable and as a setting.
    assert numbers == {name: float(conf.DEFAULTS[name]) for name in numbers}
