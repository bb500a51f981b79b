"""The weight files of Sync-C and Sync-D. This module loads no torch: a plan looks here."""

from benchmarks.weights import WeightFile

S3FD_WEIGHTS = WeightFile(
    "sync",
    "sfd_face.pth",
    "MIT with syncnet_python, which publishes it; trained on WIDER FACE",
    "https://www.robots.ox.ac.uk/~vgg/software/lipsync/data/sfd_face.pth",
    root="harness",
)
SYNCNET_WEIGHTS = WeightFile(
    "sync",
    "syncnet_v2.model",
    "MIT with syncnet_python, which publishes it",
    "http://www.robots.ox.ac.uk/~vgg/software/lipsync/data/syncnet_v2.model",
    root="harness",
)
SYNC_FILES: tuple[WeightFile, ...] = (S3FD_WEIGHTS, SYNCNET_WEIGHTS)
