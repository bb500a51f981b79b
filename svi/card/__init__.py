"""A GPU held against the processor beside it: what it computes on a small Wan of random weights, and how fast at true size."""
