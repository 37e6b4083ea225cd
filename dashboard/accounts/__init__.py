"""How the first administrator gets in."""
