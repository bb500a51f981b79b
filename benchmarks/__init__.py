"""Benchmarks for long video: tracks (how long, which prompts), samples, and the scorers of the films."""
