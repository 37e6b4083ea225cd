"""All that is looked at, in the order of the page."""

from runs.health import clusters, database, upkeep
from runs.health.points import BAD, Look, Point, looked, worst

GROUPS: dict[str, tuple[Look, ...]] = {
    "Database": (database.database, database.pool, database.disk),
    "Clusters": (clusters.clusters, clusters.unserved, clusters.clocks, clusters.listening),
    "Upkeep": (upkeep.counting, upkeep.schedules, upkeep.retention),
}
#: What `manage.py check --database default` looks at: the server, before there need be tables.
SERVER: tuple[Look, ...] = (database.database, database.disk)


def groups() -> dict[str, list[Point]]:
    """Every point, by what it is about. Without its tables, only what the database says."""
    found = looked([database.tables])
    if worst(found) == BAD:
        return {"Database": [*found, *looked([database.database, database.pool, database.disk])]}
    rest = {name: looked(looks) for name, looks in GROUPS.items()}
    return {**rest, "Database": [*found, *rest["Database"]]}


def points() -> list[Point]:
    return [point for those in groups().values() for point in those]
