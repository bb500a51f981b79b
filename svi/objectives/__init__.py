"""What a fine-tuning minimises, one file an idea against drift."""
