"""What a generator keeps of the past."""
