"""The figures Trackside promises, each measured by one command, against peers in the same run."""
