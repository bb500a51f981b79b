"""The training and generation core of error recycling. Imports no sibling package."""
