"""What machines ask: numbers for Prometheus, and whether this process lives and is ready."""
