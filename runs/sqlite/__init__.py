"""SQLite for many processes on one host: `ENGINE = "runs.sqlite"`."""
