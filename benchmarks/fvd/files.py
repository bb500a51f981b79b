"""The two published files of I3D's weights: one network, converted twice from DeepMind's TensorFlow release."""

from benchmarks.weights import WeightFile

_LICENCE = "Apache-2.0, of DeepMind's kinetics-i3d"
I3D_WEIGHTS = WeightFile(
    "fvd",
    "i3d_pretrained_400.pt",
    _LICENCE,
    "tats/fvd in github.com/songweige/TATS, from where cd-fvd has it",
    root="harness",
)
I3D_TORCHSCRIPT = WeightFile(
    "fvd",
    "i3d_torchscript.pt",
    _LICENCE,
    "the address in src/metrics/frechet_video_distance.py of github.com/universome/stylegan-v",
    root="harness",
)
FVD_FILES = (I3D_WEIGHTS, I3D_TORCHSCRIPT)


def found_file() -> WeightFile:
    """The first of `FVD_FILES` that is there; either serves, and scores from one are not compared with the other's.

    Raises:
        ValueError: there is neither.
    """
    for file in FVD_FILES:
        if file.path.is_file():
            return file
    try:
        I3D_WEIGHTS.find()
    except ValueError as error:
        raise ValueError(f"{error}; {I3D_TORCHSCRIPT.name} in the same folder serves as well") from None
    return I3D_WEIGHTS
