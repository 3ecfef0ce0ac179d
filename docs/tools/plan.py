"""The plan of the house, from the imports of the code and the layers of its import contract.

``python docs/tools/plan.py > plan.svg`` draws it; the pages do the same when they are built.
"""

import tomllib
from collections.abc import Collection, Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple

import grimp

ROOT = Path(__file__).parents[2]
PACKAGE = "mndmri"

_WIDTH, _MARGIN = 1180, 20
_BOX_WIDTH, _BOX_HEIGHT, _STEP = 126, 44, 104
_FEW, _GOLDEN = 3, 0.618  # boxes in a row that is shifted, and by how much from row to row


class Plan(NamedTuple):
    """Rooms of a house, and who imports whom."""

    layers: list[list[str]]
    """Names of the rooms, the highest layer first."""
    modules: dict[str, int]
    """Number of modules in each room."""
    arrows: dict[tuple[str, str], int]
    """(importing room, imported room) to the number of imports between their modules."""

    @property
    def rooms(self) -> list[str]:
        """All rooms, from the top."""
        return [room for layer in self.layers for room in layer]

    def rising(self) -> Collection[tuple[str, str]]:
        """Arrows that do not lead to a lower layer."""
        level = {room: n for n, layer in enumerate(self.layers) for room in layer}
        return [(source, target) for source, target in self.arrows if level[target] <= level[source]]


def read_plan() -> Plan:
    """Plan of the library: rooms and arrows from its imports, layers from the contract in pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as stream:
        contracts = tomllib.load(stream)["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return make_plan(
        grimp.build_graph(PACKAGE, cache_dir=None), [[room.strip() for room in layer.split("|")] for layer in layers]
    )


def make_plan(graph: grimp.ImportGraph, layers: list[list[str]]) -> Plan:
    """Plan of a package: its children are the rooms.

    Raises
    ------
    ValueError
        If the rooms in the layers are not those of the package.
    """
    (root,) = {name.split(".")[0] for name in graph.modules}
    rooms = {child.removeprefix(f"{root}."): child for child in graph.find_children(root)}
    named = [room for layer in layers for room in layer]
    if sorted(rooms) != sorted(named):
        raise ValueError(f"the layers name {sorted(named)}, the package has {sorted(rooms)}")
    members = {room: {name} | graph.find_descendants(name) for room, name in rooms.items()}
    imported = {
        room: [target for module in inside for target in graph.find_modules_directly_imported_by(module)]
        for room, inside in members.items()
    }
    arrows = {
        (source, target): sum(name in members[target] for name in imported[source])
        for source in named
        for target in named
        if source != target
    }
    return Plan(layers, {room: len(members[room]) for room in named}, {pair: n for pair, n in arrows.items() if n})


def draw(plan: Plan) -> str:
    """Plan as an SVG image: a row of boxes for each layer, a line for each arrow, its width the number of imports."""
    place = _places(plan.layers)
    height = 2 * _MARGIN + (len(plan.layers) - 1) * _STEP + _BOX_HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto" '
        'markerUnits="userSpaceOnUse"><path d="M0 0 L8 4 L0 8 z" fill="#607d8b"/></marker>',
    ]
    starts = _spread(plan.arrows, place, end=0)
    tips = _spread(plan.arrows, place, end=1)
    for (source, target), n in plan.arrows.items():
        x1, x2 = starts[source, target], tips[source, target]
        y1, y2 = place[source][1] + _BOX_HEIGHT, place[target][1]
        bend = (y2 - y1) / 2
        parts.append(
            f'<path d="M{x1:.0f} {y1:.0f} C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}" '
            f'fill="none" stroke="#607d8b" stroke-opacity="0.55" stroke-width="{min(0.8 + n / 6, 4):.1f}" '
            f'marker-end="url(#tip)"><title>{escape(source)} imports {escape(target)}: {n}</title></path>'
        )
    for room, (x, y) in place.items():
        n = plan.modules[room]
        parts.append(
            f'<rect x="{x - _BOX_WIDTH / 2:.0f}" y="{y:.0f}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" '
            f'fill="#eceff1" stroke="#455a64"/>'
            f'<text x="{x:.0f}" y="{y + 19:.0f}" text-anchor="middle" font-size="15" fill="#263238">'
            f"{escape(room)}</text>"
            f'<text x="{x:.0f}" y="{y + 35:.0f}" text-anchor="middle" font-size="11" fill="#607d8b">'
            f"{n} module{'s' if n > 1 else ''}</text>"
        )
    return "\n".join([*parts, "</svg>\n"])


def _places(layers: list[list[str]]) -> dict[str, tuple[float, float]]:
    """Middle and top of each box; rows of few boxes are shifted, so that fewer arrows pass behind a box."""
    place = {}
    for row, layer in enumerate(layers):
        gap = (_WIDTH - 2 * _MARGIN) / len(layer)
        shift = 0 if len(layer) > _FEW else gap * ((row * _GOLDEN) % 1 - 0.5) / 2
        for column, room in enumerate(layer):
            place[room] = (_MARGIN + gap * (column + 0.5) + shift, _MARGIN + row * _STEP)
    return place


def _spread(
    arrows: Collection[tuple[str, str]], place: Mapping[str, tuple[float, float]], *, end: int
) -> dict[tuple[str, str], float]:
    """Where each arrow meets the box at one of its ends, in the order of the boxes at the other."""
    points = {}
    for room, (middle, _) in place.items():
        here = sorted((a for a in arrows if a[end] == room), key=lambda a: place[a[1 - end]][0])
        for n, arrow in enumerate(here):
            points[arrow] = middle + _BOX_WIDTH * ((n + 0.5) / len(here) - 0.5)
    return points


def count(plan: Plan) -> str:
    """Sentence that counts rooms and arrows, and arrows that lead up."""
    rising = f"{len(plan.rising())} of them lead up" if plan.rising() else "none of them leads up"
    return f"{len(plan.rooms)} packages and modules, {len(plan.arrows)} arrows; {rising}."


if __name__ == "__main__":
    print(draw(read_plan()), end="")
