"""Measurements of cost, each against a named alternative in the same run: python -m svi.perf."""
