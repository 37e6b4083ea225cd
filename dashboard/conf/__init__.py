"""What the ready project reads from its environment, each with one sentence when it is wrong."""
