#!/usr/bin/env python3
"""That the ready-made pipelines are what they promise: checked without a word, tested, and commented.

    Tests/commandline/pipelines.py
"""

import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

FOLDER = kit.ROOT / "pipelines"


def the_folder(checks):
    for delivery in ("exactly_once", "transactional", "at_least_once"):
        result = kit.forktail("check", "--color", "never", "--delivery", delivery, FOLDER)
        # That a glob matches nothing is no fault of theirs.
        said = set(re.findall(r"^(?:error|warning|note)\[(\w+)\]", result.stderr, re.M)) - {"W603"}
        checks.that(
            f"check finds no fault for {delivery}",
            result.returncode == 0 and not said,
            f"{result.returncode} {result.stderr}",
        )
    result = kit.forktail("test", FOLDER)
    checks.that("all tests pass", result.returncode == 0, result.stdout + result.stderr)


def each_pipeline(checks):
    paths = sorted(FOLDER.glob("*.pipeline"))
    checks.that("there are pipelines", len(paths) >= 13, f"{len(paths)}")
    for path in paths:
        result = kit.forktail("test", path)
        checks.that(
            f"{path.name} begins with what it does, and tests it",
            path.read_text().startswith("# ")
            and result.returncode == 0
            and f"ok    {path.stem}: " in result.stdout,
            result.stdout + result.stderr,
        )


def main():
    checks = kit.Checks()
    for body in (the_folder, each_pipeline):
        with checks.group(body.__name__):
            body(checks)
    checks.finish()


if __name__ == "__main__":
    main()
