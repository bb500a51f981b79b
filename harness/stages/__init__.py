"""What each stage computes: the one place where svi, benchmarks and reports meet."""
