"""The names of the files that hold films, what is known of them, and their scores."""

# A folder of films.
FILM_INFO = "film.json"  # films.info.FilmInfo; written last
FRAMES = "frames.npy"  # lossless frames of all films, [S, F, H, W, 3] uint8
TRUTH = "truth.npz"  # films.film.Truth of each
CONTINUATION = "continuation.npy"  # the true films, of the shape of the frames

# Measured before the films are made.
PROBE = "probe.npz"  # films.film.Probe of each

# A folder of scores.
SCORE_INFO = "scores.json"  # suites.record.ScoreRecord without its values; written last
SCORES = "scores.npz"  # its values
FRAME_SCORES = "frames.npz"  # the frames' values that they come from, [S, F]
WORK = "work"  # what a second attempt need not do again; gone when the scores are there

# A folder of scores by VBench's own package.
OFFICIAL_RESULTS = "official.json"

# A sample.
IMAGES = ("frame.jpg", "frame.png")  # the first that is there
PROMPTS = "prompt.txt"  # written last
PROVENANCE = "provenance.json"
