"""One fine-tuning: loop, engine, checkpoints, ranks, and what an objective is asked for."""
