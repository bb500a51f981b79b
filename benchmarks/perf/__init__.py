"""What the scorers cost, measured here and now."""
