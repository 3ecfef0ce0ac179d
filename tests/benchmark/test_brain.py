"""Brain extraction where the brain is known, and both methods against each other on real people."""

import time

import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt

from mndmri.anatomy.brain import find_brain
from mndmri.grids import to_canonical
from mndmri.io import load_image
from tests.unit.anatomy.heads import FLAT_CONTRAST, build_head, dice, scan_head, share_inside

LEAST_DICE = {"deepbet": 0.97, "template": 0.95}
SCANS = {
    "plain": {},
    "1 mm": {"voxel_mm": 1.0},
    "3 mm": {"voxel_mm": 3.0},
    "thick slices": {"voxel_mm": (0.9, 0.9, 3.0)},
    "chin up 40 degrees": {"turn_deg": (40, 0, 0)},
    "chin down 40 degrees": {"turn_deg": (-40, 0, 0)},
    "turned and stretched": {"turn_deg": (-25, 20, -25), "size": (1.08, 0.95, 1.05)},
    "7 T contrast": {"contrast": FLAT_CONTRAST},
    "strong shading": {"bias": 0.6},
}
PEOPLE = ("IXI052", "IXI072", "IXI132", "IXI202", "IXI259", "IXI327", "IXI396", "IXI519", "IXI603", "IXI646")


@pytest.fixture(scope="module")
def tissues():
    return build_head(1.5)


@pytest.mark.benchmark
@pytest.mark.parametrize("method", LEAST_DICE)
@pytest.mark.parametrize("scan", SCANS)
def test_the_known_brain_is_found(tissues, scan, method):
    head, truth, matter = scan_head(tissues, **SCANS[scan])
    started = time.process_time()
    mask, _ = find_brain(head, method=method)
    cost = time.process_time() - started
    overlap, inside = dice(mask, truth), share_inside(matter, mask)
    print(f"\n{scan}, {method}: Dice {overlap:.4f}, {inside:.4f} of grey and white matter inside, {cost:.0f} CPU s")
    assert overlap > LEAST_DICE[method]
    assert inside > 0.98
    assert cost < 60


@pytest.mark.benchmark
@pytest.mark.parametrize("method", LEAST_DICE)
def test_a_mask_is_the_same_twice_and_from_any_order_of_storage(tissues, method):
    head = to_canonical(scan_head(tissues, turn_deg=(10, 5, 0))[0])
    stored = head.as_reoriented(axcodes2ornt("PSL"))
    first, again, other = (find_brain(image, method=method)[0] for image in (head, head, to_canonical(stored)))
    assert np.array_equal(first.dataobj, again.dataobj)
    assert np.array_equal(first.dataobj, other.dataobj)


@pytest.mark.benchmark
@pytest.mark.parametrize("method", LEAST_DICE)
def test_the_brain_of_the_mni_head_is_its_own_mask(real_data, method):
    head, truth = (
        to_canonical(load_image(real_data / "atlases" / f"MNI152_T1_2mm{kind}.nii.gz")) for kind in ("", "_brain_mask")
    )
    overlap = dice(find_brain(head, method=method)[0], truth)
    print(f"\nMNI head, {method}: Dice {overlap:.4f}")
    assert overlap > LEAST_DICE[method]


@pytest.mark.benchmark
@pytest.mark.parametrize("person", PEOPLE)
def test_both_methods_agree_on_real_people(real_data, person):
    head = to_canonical(
        load_image(real_data / "real_t1_cohort" / f"sub-{person}" / "anat" / f"sub-{person}_T1w.nii.gz")
    )
    network, template = (find_brain(head, method=method)[0] for method in ("deepbet", "template"))
    ratio = np.asarray(template.dataobj).sum() / np.asarray(network.dataobj).sum()
    overlap = dice(network, template)
    print(f"\n{person}: Dice {overlap:.4f}, volume of the template's over the network's {ratio:.3f}")
    assert overlap > LEAST_DICE["template"]
