from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mndmri.atlas.regions import build_atlas, load_template
from mndmri.grids import make_image
from mndmri.io import read_table, write_table
from tests.sharing import made_once
from tests.unit.egg import egg


@pytest.fixture(scope="module")
def brain() -> nb.Nifti1Image:
    """A lopsided egg with structure inside, 0 around it."""
    return egg()


@pytest.fixture(scope="session")
def atlas_folder(tmp_path_factory) -> Path:
    """The built-in atlas: which voxels are not 0, and its table."""

    def make(folder: Path) -> None:
        image, table = build_atlas()
        data = np.asarray(image.dataobj).ravel(order="F")
        inside = np.flatnonzero(data)
        np.save(folder / "atlas.npy", np.rec.fromarrays([inside, data[inside]], names="voxel,value"))
        write_table(table, folder / "atlas.tsv")

    return made_once(tmp_path_factory.getbasetemp(), "atlas", make)


@pytest.fixture(scope="module")
def builtin_atlas(atlas_folder) -> tuple[nb.Nifti1Image, pd.DataFrame]:
    """What `build_atlas` gives. A gigabyte: no longer than a module's tests need it."""
    stored, table = np.load(atlas_folder / "atlas.npy"), read_table(atlas_folder / "atlas.tsv")
    template = load_template()
    data = np.zeros(np.prod(template.shape) * len(table), np.float32)
    data[stored["voxel"]] = stored["value"]
    return make_image(data.reshape(*template.shape, len(table), order="F"), template), table
