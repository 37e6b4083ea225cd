"""What may go wrong around Trackside, looked at on demand: the database, its clusters, its upkeep."""
