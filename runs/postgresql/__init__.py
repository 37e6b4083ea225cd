"""PostgreSQL with a pool that costs no round trip: `ENGINE = "runs.postgresql"`."""
