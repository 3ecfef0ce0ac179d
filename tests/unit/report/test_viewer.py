"""The viewer's page: what it carries, how large it is, and that words stay words."""

import json
import re
import zlib
from base64 import b64decode
from io import BytesIO

import numpy as np
from nibabel.affines import apply_affine
from PIL import Image

from tests.unit import viewed
from tests.unit.report.test_pages import ATTACK

PART = re.compile(r'<script type="text/plain" class="part">([A-Za-z0-9+/=]+)</script>')


def scenes_of(html):
    return json.loads(re.search(r'id="scenes">(.*?)</script>', html, re.S)[1])["scenes"]


def test_every_voxel_has_its_marks_and_its_grey():
    scene = viewed.t1w("LAS")
    html = viewed.page(scene)
    parts = [b64decode(part) for part in PART.findall(html)]
    [told] = scenes_of(html)
    bits = np.frombuffer(zlib.decompress(parts[told["bits"]]), np.uint8).reshape(told["shape"], order="F")
    for n, mark in enumerate(told["marks"]):
        assert ((bits >> n & 1) == scene.marks[mark["name"]]).all()
    [grey] = scene.images["T1w"].channels
    whole = np.asarray(Image.open(BytesIO(parts[told["images"][0]["channels"][0]])).convert("L"))
    across, up, slices = told["shape"]
    columns = whole.shape[1] // across
    for z in (0, 7, slices - 1):
        row, column = divmod(z, columns)
        tile = whole[row * up : (row + 1) * up, column * across : (column + 1) * across].T
        assert np.abs(tile.astype(int) - grey[..., z]).mean() < 6


def test_streamlines_are_stored_to_a_sixteenth_of_a_voxel():
    scene = viewed.dwi()
    html = viewed.page(scene)
    parts = [b64decode(part) for part in PART.findall(html)]
    marks = {mark["name"]: mark for mark in scenes_of(html)[0]["marks"]}
    points = np.frombuffer(zlib.decompress(parts[marks["streamlines left"]["lines"]]), "<i2").reshape(-1, 3)
    ends = np.flatnonzero((points == -32768).all(axis=1))
    assert len(ends) == 1 + 3 and ends[-1] == len(points) - 1
    mm = apply_affine(scene.affine, points[ends[0] + 1 : ends[1]] / 16)
    np.testing.assert_allclose(mm, viewed.TRACKED, atol=5 / 32 + 1e-3)
    assert marks["streamlines right"]["empty"] and marks["CST left"]["lines"] is None


def test_what_scenes_share_is_stored_once():
    one, two = (PART.findall(viewed.page(*[viewed.group_map()] * n)) for n in (1, 2))
    assert one == two
    other = viewed.group_map(name="F")
    assert len(PART.findall(viewed.page(viewed.group_map(), other))) == len(one) + 1


def test_a_page_loads_nothing_and_allows_no_request():
    html = viewed.page(viewed.t1w(), viewed.dwi(), viewed.swi())
    assert "default-src 'none'" in html
    assert not re.search(r"""(?:src|href)=["']?https?:|@import|fetch\(|XMLHttp""", html)
    assert [scene["name"] for scene in scenes_of(html)] == [
        "T1w with tissue",
        "FA with the tract",
        "SWI and QSM with regions",
    ]


def test_hostile_words_stay_words():
    scene = viewed.group_map(contrast=ATTACK)
    html = viewed.page(scene._replace(file=ATTACK, look_for=ATTACK), title=ATTACK, page=ATTACK, page_title=ATTACK)
    assert ATTACK not in html
    assert scenes_of(html)[0]["name"] == ATTACK
