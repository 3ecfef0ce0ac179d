"""What a study will take: memory of a job, hours and disk of all, by the sizes of the scans in their headers."""

import math
from collections.abc import Iterable, Mapping
from functools import cache

from mndmri.cohort.records import Scan, Study
from mndmri.io import InputError, load_image

# Of a scan, and of a million of its voxels, those of all volumes and echoes together: CPU minutes, and MB on disk. From
# two real people with the default config (T1w, diffusion, one gradient echo of 3 mm); FLAIR, T2w and maps by analogy.
_MINUTES = {"t1w": (1.0, 0.3), "dwi": (0.5, 0.1), "swi": (0.5, 0.05)}
_DISK_MB = {"t1w": (20.0, 14.0), "dwi": (5.0, 5.0), "swi": (2.0, 10.0)}
_MINUTES_OF_A_MAP, _DISK_MB_OF_A_MAP = (0.3, 0.1), (1.0, 4.0)
# MB of memory: of any job, and of a million voxels of the largest image of a modality that it reads. Measured: T1w
# images of 1.6 and 11 million voxels took up to 1.8 and 2.7 GB, a series of 23 million 2.2; reported of an earlier
# version: 5.1 GB for a T1w image of 45 million, 2.7 for a gradient echo of 13.
_MEMORY_MB, _MEMORY_MB_A_MEGAVOXEL, _OF_A_SERIES = 2200, 120, 60
_ROLES = ("image", "magnitude", "swi", "chimap")


def memory_mb(scans: Mapping[str, Scan], modalities: Iterable[str]) -> int:
    """Memory of a job that reads some modalities of a participant, MB.

    Parameters
    ----------
    scans : mapping
        The participant's, by modality.
    modalities : iterable of str
        Those of which it holds images; one that is lacking takes none.
    """
    own = [modality for modality in modalities if modality in scans]
    largest = {modality: max(map(_megavoxels, _files(scans[modality])), default=0.0) for modality in own}
    each = {modality: _OF_A_SERIES if modality == "dwi" else _MEMORY_MB_A_MEGAVOXEL for modality in own}
    return round(_MEMORY_MB + sum(each[modality] * size for modality, size in largest.items()))


def expected(study: Study) -> tuple[float, float]:
    """CPU minutes and GB on disk that a study will take."""
    minutes = megabytes = 0.0
    for own in study.scans.values():
        for modality, scan in own.items():
            if modality not in _MINUTES and scan.declared is None:  # made of another modality's files
                continue
            size = sum(map(_megavoxels, _files(scan)))
            once, each = _MINUTES.get(modality, _MINUTES_OF_A_MAP)
            minutes += once + size * each
            once, each = _DISK_MB.get(modality, _DISK_MB_OF_A_MAP)
            megabytes += once + size * each
    return minutes, megabytes / 1000


def _files(scan: Scan) -> list[str]:
    return [path for role in _ROLES for path in scan.files.get(role, ())]


@cache
def _megavoxels(path: str) -> float:
    """Millions of voxels by an image's header; none of one that cannot be read, or is yet to be made."""
    try:
        return math.prod(map(int, load_image(path).shape)) / 1e6
    except InputError:
        return 0.0
