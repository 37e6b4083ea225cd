"""Figures beside their targets: a small table for people, JSON for machines."""

import argparse
import json
import math
import signal
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmarks.support.machine import describe, machine

Contestant = TypeVar("Contestant")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. `at_least` or `at_most` is what was promised; neither: for comparison."""

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.at_least is None and self.at_most is None:
            return ""
        low = self.at_least is None or self.value >= self.at_least
        high = self.at_most is None or self.value <= self.at_most
        return "pass" if low and high else "FAIL"

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f">= {number(self.at_least)}"
        return "" if self.at_most is None else f"<= {number(self.at_most)}"


@dataclass(slots=True)
class Report:
    """What one measurement found."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return all(figure.verdict != "FAIL" for figure in self.figures)

    def text(self) -> str:
        rows = [("", "measured", "target", "")]
        rows += [
            (f.name, f"{number(f.value)} {f.unit}".strip(), f.target, f"{f.verdict} {f.note}")
            for f in self.figures
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [self.title, *("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes), ""])


def parser(description: str) -> argparse.ArgumentParser:
    """Options every measurement has; from here on SIGTERM cleans up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    return options


def publish(reports: Sequence[Report], file: Path | None) -> int:
    """Print the tables, write the JSON; the exit status: 0 when every target was met."""
    facts = machine()
    for report in reports:
        sys.stdout.write(report.text() + "\n")
    sys.stdout.write(f"On {describe(facts)}.\n\n")
    if file:
        everything = {"machine": facts, "reports": [asdict(report) for report in reports]}
        file.write_text(json.dumps(everything, indent=1) + "\n")
    return 0 if all(report.passed for report in reports) else 1


def progress(message: str) -> None:
    """A line on what is going on, away from the results."""
    sys.stderr.write(f"  … {message}\n")
    sys.stderr.flush()


def spread(values: Sequence[float]) -> str:
    """Lowest to highest of several repetitions."""
    return f"({number(min(values))} to {number(max(values))}, {len(values)} repetitions)"


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; no interpolation flatters a tail."""
    ranked = sorted(values)
    rank = math.ceil(len(ranked) * percent / 100)
    return ranked[max(0, rank - 1)]


def interleaved(
    repetitions: int, contestants: Sequence[Contestant], measure: Callable[[Contestant], float]
) -> dict[Contestant, list[float]]:
    """Measure everyone once per round, so that a slow minute of the machine hits all alike."""
    found: dict[Contestant, list[float]] = {contestant: [] for contestant in contestants}
    for _ in range(repetitions):
        for contestant in contestants:
            found[contestant].append(measure(contestant))
    return found


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def number(value: float) -> str:
    """Three significant digits, thousands separated, no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
