"""`python -m benchmarks`: every measurement, one after the other. `make bench` runs this."""

import subprocess
import sys
from pathlib import Path

MEASUREMENTS = (
    "throughput",
    "durable",
    "latency",
    "backlog",
    "scale",
    "waiting",
    "trigger",
    "http",
    "runs_list",
    "pages",
    "realtime",
    "idle",
    "churn",
)


def main() -> int:
    """Run all of them, each in a fresh process; the exit status says whether every target held."""
    results = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    failed = []
    for name in MEASUREMENTS:
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        if results:
            results.mkdir(parents=True, exist_ok=True)
            command += ["--json", str(results / f"{name}.json")]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    sys.stdout.write(f"Not met: {', '.join(failed)}\n" if failed else "Every target was met.\n")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
