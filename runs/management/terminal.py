"""What commands for people share: who calls, safe text, errors as one sentence."""

import argparse
import getpass
import unicodedata
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from runs.errors import RunsError

KEPT = {"\n", "\t"}
#: Control characters, format characters that reorder text, halves of surrogate pairs.
UNSAFE = {"Cc", "Cf", "Cs"}


def plain(text: object) -> str:
    """`text` without characters that could steer a terminal; what is dropped shows as �."""
    return "".join(
        letter if letter in KEPT or unicodedata.category(letter) not in UNSAFE else "�"
        for letter in str(text)
    )


def line(text: object, width: int) -> str:
    """`text` on one line of at most `width` characters."""
    flat = " ".join(plain(text).split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def actor() -> str:
    """How events and the audit log name the person at this shell."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a user id without a name, as containers have
        return "cli:unknown"


class VerbCommand(BaseCommand):
    """A command with verbs: `handle` calls the method of the verb."""

    #: Keeps the line ends of the examples.
    examples = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(
            prog_name,
            subcommand,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=self.examples,
            **kwargs,
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verb: Callable[[dict[str, Any]], None] = getattr(
            self, f"do_{options['verb'].replace('-', '_')}"
        )
        try:
            verb(options)
        except RunsError as error:
            raise CommandError(plain(error)) from error
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be used ({line(error, 200)}). "
                "Is DATABASE_URL right, and was “manage.py migrate” run?"
            ) from error
        except KeyboardInterrupt:
            raise SystemExit(130) from None
