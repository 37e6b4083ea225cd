"""What the ORM cannot say: guards in both databases, the hot verbs in PostgreSQL."""

from pathlib import Path
from typing import Any

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
FILES = {
    "postgresql": (
        *("guards", "failed", "insert", "take", "capacity", "rate", "claim", "turn", "finish", "handover", "wait", "start",
        "months"),
    ),
    "sqlite": ("guards", "wait"),
}


def install(apps: Any, schema_editor: Any) -> None:
    vendor = schema_editor.connection.vendor
    for name in FILES[vendor]:
        text = (SQL / vendor / f"{name}.sql").read_text()
        for statement in [text] if vendor == "postgresql" else split(text):
            schema_editor.execute(statement, params=None)


def split(text: str) -> list[str]:
    """SQLite takes one statement at a time; ours end with "END;" on a line of their own."""
    return [f"{part}END;" for part in text.split("END;\n") if part.strip()]


class Migration(migrations.Migration):
    dependencies = [("runs", "0001_initial")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
