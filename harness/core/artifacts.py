"""The names of files that stages of this harness write into their artifacts, beside those of svi, benchmarks and reports."""

FOOTAGE = "footage.json"  # what a latent cache was made of, and the files that it skipped
HELD_BACK = "held_back.npz"  # first frames and prompts of clips kept from training
GAIN_AND_EPS = "forecast.npz"  # of every film of a track, [S] each
SINGLE_FILM = "film"  # the name of the one film of `harness generate`
COST = "cost.json"  # what a training, or a second of film, took: the numbers of reports/statistics/spending.py
TRAINED = "trained"  # there when nothing is left to do but to tidy up
