"""Figures, and the style that all share."""
