"""What a video model takes of a card before it is there: memory and work, counted on tensors that hold nothing."""
