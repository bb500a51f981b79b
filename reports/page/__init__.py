"""The page: its template, its films, its player."""
