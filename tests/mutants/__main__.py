"""Plant bugs and see which test finds each: ``python -m tests.mutants [name...]``.

For each bug the code is copied, changed in one place, and tested as ``make test`` does without the whole runs: first
the tests that mirror the module and those that import it, then all others, up to the first failure. A test that
fails without the bug too does not count.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.table import MUTANTS, Mutant, place_of

ROOT = Path(__file__).resolve().parents[2]
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


def copy_code(folder: Path) -> Path:
    """What git keeps, or would keep, of the project, copied into a folder."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def tests_of(place: Path, *, near: bool) -> list[str]:
    """Files of tests for a module, those nearest to it first; ``near`` leaves out those that do not import it."""
    of_library = place.parts[0] == "mndmri"
    module = re.escape(".".join(place.with_suffix("").parts))
    imports = re.compile(rf"from {module} import|from {module.rpartition('.')[0]} import .*\b{place.stem}\b")

    def distance(test: Path) -> int:
        if of_library and test.stem == f"test_{place.stem}" and test.parts[2:-1] == place.parts[1:-1]:
            return 0
        if imports.search((ROOT / test).read_text()) if of_library else test.parts[1] == "workflow":
            return 1
        return 2 if test.parts[2:-1] == place.parts[1:-1] else 3

    found = [path.relative_to(ROOT) for path in sorted((ROOT / "tests").glob("*/**/test_*.py"))]
    short = [path for path in found if path.parts[1] in ("unit", "workflow")]
    return [str(path) for path in sorted(short, key=distance) if distance(path) < (2 if near else 4)]


def first_failure(folder: Path, tests: list[str]) -> str | None:
    """Test that fails first, None if all pass or there are none."""
    if not tests:
        return None
    line = [sys.executable, "-m", "pytest", "-qx", "-rfE", "--no-header", "-p", "no:cacheprovider"]
    line += ["-m", "not benchmark and not slow", *tests]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    found = FAILED.search(done.stdout)
    if found is None and done.returncode not in (0, 5):  # 5: no test was chosen
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-3000:])
    return found.group(1) if found else None


def find(mutant: Mutant, sound: Path, *, near: bool) -> str | None:
    """Test that fails with the bug and passes without it, in the copy ``sound``; None if there is none."""
    place = place_of(mutant, ROOT)
    tests = tests_of(place, near=near)
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = copy_code(Path(folder))
        text = (copy / place).read_text()
        (copy / place).write_text(text.replace(mutant.was, mutant.becomes))
        found = first_failure(copy, tests)
    if found and first_failure(sound, [found]):
        raise RuntimeError(f"{found} fails without the bug too; the tests have to pass before bugs are planted")
    return found


def main() -> int:
    """Number of bugs that no test found."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="name", help="bugs to plant; default all")
    parser.add_argument("--near", action="store_true", help="only tests that import the module")
    parser.add_argument("--list", action="store_true", help="only list them")
    options = parser.parse_args()
    if unknown := set(options.names) - {mutant.name for mutant in MUTANTS}:
        parser.error(f"no bug is called {', '.join(sorted(unknown))}; --list lists them")
    # the tests look for real scans beside the project, where a copy has none
    os.environ.setdefault("MNDMRI_REAL_DATA", str(ROOT.parent / "shared/data"))
    missed = 0
    with tempfile.TemporaryDirectory(prefix="sound-") as folder:
        sound = copy_code(Path(folder))
        for mutant in MUTANTS:
            if options.names and mutant.name not in options.names:
                continue
            place = place_of(mutant, ROOT)
            if options.list:
                print(f"{mutant.name}\t{place}\t{mutant.harm}")
                continue
            begun = time.monotonic()
            found = find(mutant, sound, near=options.near)
            missed += found is None
            print(f"{mutant.name}\t{place}\t{found or 'MISSED'}\t{time.monotonic() - begun:.0f} s", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
