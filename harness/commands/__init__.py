"""One file a command: its options, its request, what it prints."""
