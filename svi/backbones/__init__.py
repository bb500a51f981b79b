"""Video models: the protocol, the tiny one, Wan, what is published, and how they are run."""
