"""Random faults over real clusters, web servers and databases, and a checker of what was promised."""
