"""Stages as jobs of a Slurm cluster, through submitit (docs/slurm.md)."""
