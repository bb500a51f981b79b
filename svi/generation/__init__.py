"""How the frames of a film come about, one file a loop, and films on disk."""
