"""The latent cache, interfered with."""

from pathlib import Path

from svi.data.cache import LatentCache
from svi.data.cache_writer import write_cache
from tests.faults.part import Part, Result, digests
from tests.svi.data.caches import CONDITION, SMALL, Rendered, make_backbone, quiet


def _encode(folder: Path) -> None:
    write_cache(make_backbone(SMALL), Rendered(SMALL), CONDITION, SMALL, folder / "cache", quiet)


def _encoded(folder: Path) -> Result:
    LatentCache.open(folder / "cache")
    return digests(folder / "cache", "*")


PARTS = (Part("latent cache", _encode, _encoded, lines=("data/cache_writer.py", "svi/disk.py")),)
