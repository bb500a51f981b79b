"""Films to score: how they are read, and what is known of them."""
