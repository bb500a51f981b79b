"""Carries any graph out, here or on Slurm. Does not know what a stage computes."""
