"""One fine-tuning: loop, engine, checkpoints, ranks, objectives."""
