"""Training clips and their latents, encoded once."""
