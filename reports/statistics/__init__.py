"""What the numbers say: frame, drift, bootstrap, forecast. No text, no ink."""
