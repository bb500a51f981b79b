"""The clip loop, and films on disk."""
