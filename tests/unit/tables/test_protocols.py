import pandas as pd
import pytest

from mndmri.tables.protocols import (
    MAGNITUDE,
    differences,
    join_protocols,
    kind_of,
    protocol,
    protocol_table,
    unknown,
)

SIDECAR = {"EchoTime": 0.02, "MagneticFieldStrength": 3, "Manufacturer": "SIEMENS"}


def made(sizes=(1, 1, 3), sidecars=None, **changes) -> dict[str, str | None]:
    return protocol(MAGNITUDE, sizes, sidecars or [SIDECAR | changes])


def test_a_scan_that_is_located_by_itself_is_of_another_kind():
    assert kind_of(MAGNITUDE) == MAGNITUDE
    assert kind_of(MAGNITUDE, has_t1w=False) == "magnitude, located without a T1w image"


def test_a_protocol_is_read_from_header_and_sidecars():
    assert made((3, 0.8, 0.9375)) == {
        "kind": MAGNITUDE,
        "in_plane_mm": "0.938",
        "slice_mm": "3",
        "echo_times_ms": "20",
        "field_t": "3",
        "vendor": "Siemens",
    }
    several = made(sidecars=[SIDECAR, {"EchoTime": 0.0335, "Manufacturer": "GE MEDICAL SYSTEMS"}])
    assert (several["echo_times_ms"], several["vendor"]) == ("20, 33.5", "Siemens")
    assert made(Manufacturer="GE MEDICAL SYSTEMS")["vendor"] == "GE"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"MagneticFieldStrength": 2.89}, []),
        ({"MagneticFieldStrength": 1.5}, ["field strength 1.5 T (3 T)"]),
        ({"EchoTime": 20}, []),  # milliseconds
        ({"EchoTime": 0.0205}, []),
        ({"EchoTime": 0.025}, ["echo times 25 ms (20 ms)"]),
        ({"Manufacturer": "Siemens Healthineers"}, []),
        ({"Manufacturer": "Philips Medical Systems"}, ["scanner Philips (Siemens)"]),
        ({"Manufacturer": None}, []),
    ],
)
def test_what_differs_is_told_with_both_values(changes, told):
    assert differences(made(**changes), made()) == told


def test_other_voxels_and_other_echoes_are_told():
    assert differences(made((0.8, 0.8, 1.5)), made()) == ["voxels in the plane 0.8 mm (1 mm)", "slices 1.5 mm (3 mm)"]
    assert differences(made(sidecars=[SIDECAR, SIDECAR]), made()) == ["echo times 20, 20 ms (20 ms)"]


def test_one_of_several_protocols_suffices_and_what_is_unknown_is_said():
    table = protocol_table({"sub-01": made(), "sub-02": made(MagneticFieldStrength=1.5), "sub-03": made(sidecars=[{}])})
    joined = join_protocols(table)
    assert joined["field_t"] == "1.5; 3"
    assert differences(made(), joined) == []
    assert differences(made(MagneticFieldStrength=7), joined) == ["field strength 7 T (1.5; 3 T)"]
    assert unknown(made(sidecars=[{}]), joined) == ["echo times", "field strength", "scanner"]
    assert unknown(made(), pd.Series(joined)) == []
