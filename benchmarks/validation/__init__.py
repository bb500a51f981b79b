"""Do the metrics see what people see? Drifts of known size on true films, and what every metric says of them."""
