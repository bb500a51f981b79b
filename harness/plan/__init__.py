"""From a request to a graph of stages, and what of it is still to do."""
