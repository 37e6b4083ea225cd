"""The state machine as the README shows it: `python -m tests.support.drawing`."""

import sys

from runs.states import FINAL, TRANSITIONS, RunStatus

BLOCK = "```mermaid\nstateDiagram-v2\n{lines}\n```"


def drawn() -> str:
    """TRANSITIONS as a Mermaid diagram, one line for each move."""
    starts = [RunStatus.PENDING_VERSION, RunStatus.DELAYED, RunStatus.QUEUED]
    lines = [f"    [*] --> {status}" for status in starts]
    for status in RunStatus:
        lines += [f"    {status} --> {to}" for to in RunStatus if to in TRANSITIONS[status]]
    lines += [f"    {status} --> [*]" for status in RunStatus if status in FINAL]
    return BLOCK.format(lines="\n".join(lines))


if __name__ == "__main__":
    sys.stdout.write(f"{drawn()}\n")
