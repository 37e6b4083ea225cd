"""Reads that pages and API share. Nothing here writes."""
