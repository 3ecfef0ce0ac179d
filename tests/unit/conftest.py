import fcntl
import os

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.atlas.regions import build_atlas, load_template
from mndmri.grids import make_image
from mndmri.io import read_table, write_table
from tests.unit.egg import egg


@pytest.fixture(scope="module")
def brain() -> nb.Nifti1Image:
    """A lopsided egg with structure inside, 0 around it."""
    return egg()


@pytest.fixture(scope="session")
def atlas_file(tmp_path_factory):
    """The built-in atlas in a file, made once by whichever worker of pytest-xdist is first."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path = folder / "atlas.npy"
    with (folder / "atlas.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            image, table = build_atlas()
            data = np.asarray(image.dataobj).ravel(order="F")
            inside = np.flatnonzero(data)
            write_table(table, path.with_suffix(".tsv"))
            np.save(path, np.rec.fromarrays([inside, data[inside]], names="voxel,value"))
    return path


@pytest.fixture(scope="module")
def builtin_atlas(atlas_file) -> tuple[nb.Nifti1Image, pd.DataFrame]:
    """What `build_atlas` gives. A gigabyte: no longer than a module's tests need it."""
    stored, table, template = np.load(atlas_file), read_table(atlas_file.with_suffix(".tsv")), load_template()
    data = np.zeros(np.prod(template.shape) * len(table), np.float32)
    data[stored["voxel"]] = stored["value"]
    return make_image(data.reshape(*template.shape, len(table), order="F"), template), table
