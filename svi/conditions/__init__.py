"""What films follow frame by frame, sound or skeleton: how it is read, and what it adds to a Wan."""
