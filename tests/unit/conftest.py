import nibabel as nb
import pytest

from tests.unit.egg import egg


@pytest.fixture(scope="module")
def brain() -> nb.Nifti1Image:
    """A lopsided egg with structure inside, 0 around it."""
    return egg()
