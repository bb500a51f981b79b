"""Samples from one image: a multimodal model writes the prompts of a film that continues it."""
