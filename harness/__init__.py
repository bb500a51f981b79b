"""Declare, plan, run, track. The only package that knows all the others."""
