"""What a film is conditioned on besides its start image and text."""
