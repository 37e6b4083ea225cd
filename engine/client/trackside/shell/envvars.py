"""`trackside envvars …`: environment variables of the tasks."""

import sys
from typing import TextIO

import click

from trackside.shell.asking import shown
from trackside.shell.showing import Columns, Shown

COLUMNS: Columns = {
    "NAME": lambda one: one.name,
    "SECRET": lambda one: one.is_secret,
    "VALUE": lambda one: one.value,
}
environment = click.option(
    "--environment",
    default="dev",
    show_default=True,
    help="What the server is: dev, staging or prod.",
)


@click.group()
def envvars() -> None:
    """Environment variables of the tasks."""


@envvars.command("list")
@environment
@shown
def every(shown: Shown, environment: str) -> None:
    """All of them; secret ones redacted."""
    shown.many(shown.client.envvars.list(environment=environment), COLUMNS)


@envvars.command("set")
@click.argument("name")
@click.argument("value", required=False)
@click.option("--secret", is_flag=True, help="Never show its value again.")
@environment
@shown
def put(shown: Shown, name: str, value: str | None, secret: bool, environment: str) -> None:
    """Make or change NAME. Without VALUE it is read from stdin, where nobody sees it."""
    if value is None:
        value = sys.stdin.read().removesuffix("\n")
    shown.client.envvars.upload(
        {name: value}, override=True, is_secret=secret, environment=environment
    )
    shown.said(f"{name} set", name=name)


@envvars.command("import")
@click.argument("file", type=click.File())
@click.option("--override", is_flag=True, help="Also those that are set.")
@click.option("--secret", is_flag=True, help="Never show their values again.")
@environment
@shown
def bring(shown: Shown, file: TextIO, override: bool, secret: bool, environment: str) -> None:
    """Set all variables of a .env file (- reads stdin), or none."""
    shown.client.envvars.upload_text(
        file.read(), override=override, is_secret=secret, environment=environment
    )
    shown.said("imported", environment=environment)


@envvars.command()
@click.argument("names", nargs=-1, required=True)
@environment
@shown
def delete(shown: Shown, names: tuple[str, ...], environment: str) -> None:
    """Remove them."""
    for name in names:
        shown.client.envvars.delete(name, environment=environment)
        shown.said(f"{name} deleted", name=name)
