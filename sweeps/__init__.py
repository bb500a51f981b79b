"""Searching settings with Optuna: what may vary, and the study that varies it."""
