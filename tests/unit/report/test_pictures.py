"""Pictures on a page are small, and show what the figure shows."""

from io import BytesIO

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from mndmri.report.pages import Picture
from mndmri.report.pictures import compact, media_type
from tests.unit.report.test_pages import _group, _Page


def png(picture):
    stream = BytesIO()
    Image.fromarray(picture).save(stream, "png")
    return stream.getvalue()


def pixels(picture):
    return np.asarray(Image.open(BytesIO(picture)).convert("RGB"), int)


def drawing():
    """Thin lines of two colours on white."""
    picture = np.full((120, 200, 3), 255, np.uint8)
    picture[::17, :, :] = (213, 94, 0)
    picture[:, ::23, :] = (0, 114, 178)
    return picture


def slices():
    """Smooth shades with the noise of a scan."""
    rng = np.random.default_rng(0)
    shades = gaussian_filter(rng.normal(size=(150, 200)), 6)
    grey = 128 + 100 * shades / np.abs(shades).max() + rng.normal(size=shades.shape) * 2
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def test_a_drawing_loses_nothing():
    made = compact(png(drawing()))
    assert media_type(made) == "image/webp"
    assert np.array_equal(pixels(made), drawing())


def test_slices_of_an_image_take_a_fraction_and_differ_by_less_than_their_noise():
    before = png(slices())
    made = compact(before)
    assert len(made) < len(before) / 3
    assert np.abs(pixels(made) - slices()).mean() < 2


def test_the_same_picture_is_the_same_bytes():
    assert compact(png(slices())) == compact(png(slices()))


def test_a_page_names_the_kind_of_each_picture():
    pictures = [Picture("A", "", compact(png(drawing()))), Picture("B", "", png(drawing()))]
    sources = [attrs["src"] for attrs in _Page(_group(pictures=pictures)).attributes("img")]
    assert [source.split(",")[0] for source in sources] == ["data:image/webp;base64", "data:image/png;base64"]
