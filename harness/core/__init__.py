"""What everything stands on: errors, names, signatures, the store, the graph of stages, a stage's job. Knows no video."""
