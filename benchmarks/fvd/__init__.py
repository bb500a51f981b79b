"""Fréchet video distance: what I3D makes of 16 frames of a video, streamed, and how far two sets of videos are apart."""
