"""Finished stages that come with the harness, a folder each: base models that took long to train."""
