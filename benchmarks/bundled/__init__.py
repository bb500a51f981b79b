"""Four samples that come with the harness, in the authors' layout: our own pictures, each with a story of 50 prompts."""
