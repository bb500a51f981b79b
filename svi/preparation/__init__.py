"""Training samples with their signal, made of videos, sounds, skeletons, and what the authors keep theirs in."""
