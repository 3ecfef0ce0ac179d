"""Bad inputs made at random: each is told by name, costs its own participant alone, and ends in no traceback."""

import gzip
import json
import re
import shutil
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mndmri.cohort import category_columns, check_study, load_study, participants_path, settle
from mndmri.cohort.config import known_places, resolve_config
from mndmri.io import InputError, read_table
from tests.workflow.stubs import add_gradient_echo, make_dataset

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
PEOPLE = ("sub-01", "sub-02", "sub-03")
ECHOES = [f"echo-{echo}_part-{part}_MEGRE" for echo in (1, 2) for part in ("mag", "phase")]
# the same inputs at every run
FUZZ = {"derandomize": True, "deadline": None, "suppress_health_check": list(HealthCheck)}
SEEN: set[tuple] = set()

T1W, DWI = "anat/sub-02_T1w.nii.gz", "dwi/sub-02_dwi.nii.gz"
BVAL, BVEC = "dwi/sub-02_dwi.bval", "dwi/sub-02_dwi.bvec"
MAGNITUDE, PHASE = (f"anat/sub-02_echo-1_part-{part}_MEGRE.nii.gz" for part in ("mag", "phase"))
MODALITY = {T1W: "t1w", DWI: "dwi", BVAL: "dwi", BVEC: "dwi", MAGNITUDE: "swi", PHASE: "swi"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A dataset of three people without faults."""
    bids = tmp_path_factory.mktemp("sound") / "bids"
    make_dataset(bids, PEOPLE)
    for who in PEOPLE:
        add_gradient_echo(bids, who, *ECHOES)
        (bids / who / f"dwi/{who}_dwi.json").write_text(
            json.dumps({"PhaseEncodingDirection": "j", "TotalReadoutTime": 0.05})
        )
    return bids


def study_of(bids: Path):
    """The study as a run takes it: what cannot be used is left out."""
    raw = {"bids_dir": str(bids), "modalities": ["t1w", "dwi", "swi"], "bad_input": "leave_out"}
    config = resolve_config(raw, SCHEMA)
    table = read_table(participants_path(config), text=category_columns(config))
    study = load_study(config, participants_table=table)
    problems, _ = check_study(study, {})
    return settle(study, problems, bad_input="leave_out")


def test_the_sound_dataset_is_taken_whole(sound):
    study = study_of(sound)
    assert all({"t1w", "dwi", "swi"} <= set(study.scans[who]) for who in PEOPLE)
    assert not any("left out" in note for note in study.notes)


@pytest.fixture
def with_fault(sound, tmp_path):
    """Function that applies a fault to a copy of the dataset."""

    def make(fault: Callable[[Path], None]) -> Path:
        bids = tmp_path / "bids"
        shutil.rmtree(bids, ignore_errors=True)
        shutil.copytree(sound, bids)
        fault(bids)
        return bids

    return make


def remake(path: Path, change: Callable[[np.ndarray, nb.Nifti1Header, np.ndarray], tuple]) -> None:
    """Write an image again with its data, header or affine changed."""
    image = nb.load(path)
    data, header, affine = change(np.asarray(image.dataobj).copy(), image.header.copy(), image.affine.copy())
    nb.save(nb.Nifti1Image(data, affine, header if header is not None else None), path)


def raw_header(path: Path, offset: int, value: bytes) -> None:
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[offset : offset + len(value)] = value
    path.write_bytes(gzip.compress(bytes(content)))


images = st.sampled_from([T1W, DWI, MAGNITUDE, PHASE])
lengths = st.sampled_from([0, -1, -32768, 32767, 30000])


@st.composite
def image_faults(draw) -> tuple[str, tuple, Callable[[Path], None]]:
    """Name of a file of sub-02, what is wrong, and a function that makes it so."""
    name = draw(images)
    kind = draw(
        st.sampled_from(
            ["cut", "garbage", "empty", "magic", "length", "nan affine", "flat affine", "sheared", "huge voxels",
             "no codes", "constant", "not finite", "complex", "dimensions", "random bytes"]
        )
    )  # fmt: skip
    number = draw(st.floats(0.02, 0.9))
    length, axis = draw(lengths), draw(st.integers(1, 3))
    seed = draw(st.integers(0, 10**6))

    def fault(bids: Path) -> None:
        path = bids / "sub-02" / name
        content = path.read_bytes()
        rng = np.random.default_rng(seed)
        if kind == "cut":
            path.write_bytes(content[: int(len(content) * number)])
        elif kind == "garbage":
            path.write_bytes(rng.bytes(int(2000 * number) + 1))
        elif kind == "empty":
            path.write_bytes(b"")
        elif kind == "magic":
            raw_header(path, 344, rng.bytes(4).replace(b"n", b"x"))
        elif kind == "length":
            raw_header(path, 40 + 2 * axis, struct.pack("<h", length))
        elif kind == "random bytes":
            damaged = bytearray(content)
            middle = len(damaged) // 2
            damaged[middle : middle + 40] = rng.bytes(40)
            path.write_bytes(bytes(damaged))
        elif kind in ("nan affine", "flat affine", "sheared", "huge voxels"):

            def bent(data, header, affine):
                if kind == "nan affine":
                    affine[axis - 1, axis - 1] = np.nan
                elif kind == "flat affine":
                    affine[:3, axis - 1] = 0
                elif kind == "sheared":
                    affine[:3, axis % 3] += (0.1 + number) * affine[:3, axis - 1]
                else:
                    affine[:3, :3] *= 1000
                return data, None, affine

            image = nb.load(path)
            data, _, affine = bent(np.asarray(image.dataobj), None, image.affine.copy())
            made = nb.Nifti1Image(data, np.eye(4))
            made.header["sform_code"], made.header["qform_code"] = 1, 0
            made.header["srow_x"], made.header["srow_y"], made.header["srow_z"] = affine[:3]
            nb.Nifti1Image(data, None, made.header).to_filename(path)
        elif kind == "no codes":
            image = nb.load(path)
            header = image.header.copy()
            header["sform_code"] = header["qform_code"] = 0
            nb.save(nb.Nifti1Image(np.asarray(image.dataobj), None, header), path)
        elif kind == "constant":
            remake(path, lambda data, header, affine: (np.full_like(data, number), None, affine))
        elif kind == "not finite":

            def holed(data, header, affine):
                data.flat[rng.integers(data.size, size=3)] = rng.choice([np.nan, np.inf, -np.inf])
                return data, None, affine

            remake(path, holed)
        elif kind == "complex":
            remake(path, lambda data, header, affine: (data.astype(np.complex64), None, affine))
        elif kind == "dimensions":
            remake(path, lambda data, header, affine: (data[..., 0], None, affine))

    return name, (kind, name, round(number, 2), length, axis, seed), fault


@st.composite
def table_faults(draw) -> tuple[str, tuple, Callable[[Path], None]]:
    """Faults of a gradient table."""
    name = draw(st.sampled_from([BVAL, BVEC]))
    kind = draw(st.sampled_from(["short", "long", "word", "nan", "negative", "empty", "ragged", "binary", "scaled"]))
    place, number = draw(st.integers(1, 8)), draw(st.floats(1.2, 900))
    word = draw(st.text(st.characters(categories=["L"]), min_size=1, max_size=5).filter(lambda w: not _is_number(w)))

    def fault(bids: Path) -> None:
        path = bids / "sub-02" / name
        rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
        if kind == "short":
            rows = [row[:-1] for row in rows]
        elif kind == "long":
            rows = [[*row, row[-1]] for row in rows]
        elif kind == "word":
            rows[-1][place] = word
        elif kind == "nan":
            rows[-1][place] = "nan"
        elif kind == "negative":
            rows = [["-5" if name == BVAL and n == place else c for n, c in enumerate(row)] for row in rows]
            rows = rows if name == BVAL else [[str(-3 * float(c)) for c in row] for row in rows]
        elif kind == "empty":
            rows = []
        elif kind == "ragged":
            rows = [*rows, rows[0][:place]]
        elif kind == "scaled":
            rows = [[str(number * float(c)) for c in row] for row in rows] if name == BVEC else [
                [c if n else str(1000 + number) for n, c in enumerate(row)] for row in rows
            ]  # fmt: skip
        path.write_text("\n".join(" ".join(row) for row in rows) + "\n", encoding="utf-8")
        if kind == "binary":
            path.write_bytes(bytes(range(128, 256)))

    return name, (kind, name, place, round(number), word), fault


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


not_numbers = st.one_of(
    st.none(), st.booleans(), st.text(max_size=6), st.floats(max_value=0), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=1), st.integers(100, 10**6),
)  # fmt: skip


@st.composite
def sidecar_faults(draw) -> tuple[str, tuple, Callable[[Path], None]]:
    """Faults of a sidecar: no JSON, or a value of the wrong kind."""
    kind = draw(
        st.sampled_from(["EchoTime", "MagneticFieldStrength", "PhaseEncodingDirection", "no JSON", "no object"])
    )
    value = draw(not_numbers)
    text = draw(st.text(max_size=30).filter(lambda t: not _is_json(t)))
    name = DWI if kind == "PhaseEncodingDirection" else PHASE

    def fault(bids: Path) -> None:
        path = bids / "sub-02" / name.replace(".nii.gz", ".json")
        content = json.loads(path.read_text())
        if kind == "no JSON":
            path.write_text(text, encoding="utf-8", errors="replace")
        elif kind == "no object":
            path.write_text(json.dumps([value]))
        else:
            wrong = "sideways" if value is None and kind == "PhaseEncodingDirection" else value
            path.write_text(json.dumps(content | {kind: wrong}))

    return name, (kind, repr(value), text if kind == "no JSON" else ""), fault


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


@pytest.mark.parametrize(
    ("faults", "examples"), [(image_faults(), 90), (table_faults(), 50), (sidecar_faults(), 50)],
    ids=["images", "tables", "sidecars"],
)  # fmt: skip
def test_a_bad_file_costs_its_participants_modality_and_is_named(with_fault, faults, examples):
    @settings(max_examples=examples, **FUZZ)
    @given(faults)
    def check(drawn):
        name, what, fault = drawn
        study = study_of(with_fault(fault))
        SEEN.add(what)
        for who in ("sub-01", "sub-03"):
            assert {"t1w", "dwi", "swi"} <= set(study.scans[who]), (what, study.notes)
        lost = MODALITY[name]
        assert lost not in study.scans["sub-02"], what
        reason = study.left_out["sub-02"][lost]
        stem = Path(name).name.split(".")[0]
        assert stem in reason or "IsADirectory" in reason, (what, reason)

    check()
    assert len(SEEN) > 30


cells = st.one_of(st.text(st.characters(blacklist_categories=["Cc", "Cs"]), max_size=8), st.floats().map(str))


@settings(max_examples=60, **FUZZ)
@given(st.data())
def test_a_bad_participants_table_is_refused_in_a_sentence(data):
    rows = [["participant_id", "group", "age", "sex"], ["sub-01", "ALS", "61", "F"], ["sub-02", "PLS", "58", "M"],
            ["sub-03", "HC", "60", "F"]]  # fmt: skip
    kind = data.draw(st.sampled_from(["age", "id", "label", "twice", "column", "cells", "separator"]))
    row = data.draw(st.integers(1, 3))
    if kind == "age":
        rows[row][2] = data.draw(st.sampled_from(["-1", "121", "sixty", "6e1x", "NaN", "-999", "inf", "6,1", "1e9"]))
    elif kind == "id":
        rows[row][0] = data.draw(st.sampled_from(["sub-", "sub 01", "sub-0/1", "../x", "sub-Ä", "", "sub-01_x"]))
    elif kind == "label":
        rows[row][1] = data.draw(st.sampled_from(["als", "ALS ", "PLS.", "hc", "Contol", "", "ALS;PLS"]))
    elif kind == "twice":
        rows.append(list(rows[row]))
    elif kind == "column":
        rows = [[cell for n, cell in enumerate(line) if n != row] for line in rows]
    elif kind == "cells":
        rows[row] = [*rows[row], data.draw(cells.filter(lambda c: c.strip()))]
    else:
        rows = [[data.draw(st.sampled_from([",", ";"])).join(line)] for line in rows]
    SEEN.add((kind, str(rows)))
    with pytest.raises(InputError) as caught:
        _load(rows)
    assert re.search("participants|groups", str(caught.value))


def _load(rows: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "participants.tsv")
        path.write_text("\n".join("\t".join(row) for row in rows) + "\n", encoding="utf-8")
        config = resolve_config({"bids_dir": folder}, SCHEMA)
        study = load_study(config, participants_table=read_table(path, text=category_columns(config)))
        table_problems = [p for p in study.problems if p.participant_id is None and "modalities:" not in p.message]
        if table_problems:
            raise InputError("\n".join(p.message for p in table_problems))


PLACES = [place for place in known_places(SCHEMA) if "[" not in place]
WRONG = [float("nan"), float("inf"), [[]], {"no": "such key"}, -12345678]


@pytest.mark.parametrize("place", PLACES)
def test_a_wrong_value_of_any_key_of_the_config_is_told_with_its_name(place):
    *parents, key = place.split(".")
    # somebody of the name "no" may be excluded for that reason
    for value in [value for value in WRONG if not (key == "exclude" and isinstance(value, dict))]:
        config: dict[str, Any] = {"bids_dir": "bids"}
        block = config
        for parent in parents:
            block = block.setdefault(parent, {})
        block[key] = value
        SEEN.add((place, repr(value)))
        with pytest.raises(InputError) as caught:
            resolve_config(config, SCHEMA)
        assert key in str(caught.value)


def test_so_many_bad_inputs_were_tried():
    assert len(SEEN) >= 120 or len(SEEN) == 0  # none where a single test is chosen
