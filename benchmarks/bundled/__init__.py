"""Four samples that come with the harness, in the authors' layout, each with a story of 50 prompts.

Their pictures were drawn from numbers alone, so that anybody may use them, by a program of this project that is no longer
kept: draw.py in this folder's history.
"""
