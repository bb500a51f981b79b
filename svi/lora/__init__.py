"""Adapters, and the field's files of them."""
