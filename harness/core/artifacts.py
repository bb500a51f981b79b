"""The names of files that stages of this harness write into their artifacts, beside those of svi, benchmarks and reports."""

FOOTAGE = "footage.json"  # what a latent cache was made of, and the files that it skipped
HELD_BACK = "held_back.npz"  # first frames and prompts of clips kept from training
GAIN_AND_EPS = "forecast.npz"  # of every film of a track, [S] each
FIRST_CLIPS = "rollout.npz"  # by metric, of the first clips of some films [S, k]; and STRENGTH [S]
STRENGTH = "strength"  # of the objects, after a clip that began with faded ones
SINGLE_FILM = "film"  # the name of the one film of `harness generate`
# Its runtime settings: the folder of clips, in the store too; what all its clips are made from; a file to be watched meanwhile.
TAKES, ROOT, STREAM = "takes", "takes.root", "stream"
# Of a film whose prompts are told: their file, how long it is waited for, a prompt's clips, and how many clips there are at most.
LINES, PATIENCE, EACH, MOST = "told.lines", "told.patience", "told.each", "told.most"
CARDS = "cards"  # of a film that several cards make together: how many
TAKEN = "takes.json"  # of a film: the names of its clips in that folder
DESK = "desk"  # the folder of films in the making, each with its TAKEN, in the store too
MAKING = "making.json"  # of such a film: all that is known of it
# Of a film whose clips have their own settings, runtime: the fields of each one's link, and those settings.
CLIPS_MADE = "clips.made"
COST = "cost.json"  # what a training, or a second of film, took: the numbers of reports/statistics/spending.py
TRAINED = "trained"  # there when nothing is left to do but to tidy up
