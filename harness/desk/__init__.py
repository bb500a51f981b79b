"""The director's desk: films made clip by clip, with every take kept, and the page over them."""
