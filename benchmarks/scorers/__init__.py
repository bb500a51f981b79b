"""The native suite's scorers, one noun a file: what each measures, it declares in its `metrics`."""
