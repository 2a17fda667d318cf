#!/usr/bin/env python3
"""The first program of the Kafka library's documentation compiles, sends and ends.

    Tests/interop/first_program.py

It is linked to what the release build of forktail left, for building the package of examples/producer
anew would take minutes.
"""

import pathlib
import shlex
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

SOURCE = kit.ROOT / "examples" / "producer" / "Sources" / "first-program" / "FirstProgram.swift"
PAGE = kit.ROOT / "Sources" / "Kafka" / "Kafka.docc" / "FirstProgram.md"
# What the release build is linked to.
LIBRARIES = ["-llz4", "-lzstd", "-lz", "-lsqlite3", "-lpcre2-8", "-lstdc++"]


def build(folder):
    built = kit.FORKTAIL.resolve().parent
    # Of everything that is linked into forktail, all but its own commands.
    listed = shlex.split((built / "forktail.product" / "Objects.LinkFileList").read_text())
    objects = folder / "objects"
    objects.write_text(
        "".join(f"{shlex.quote(part)}\n" for part in listed if "/forktail.build/" not in part)
    )
    modules = [
        *built.glob("*.build/module.modulemap"),
        *(kit.ROOT / "Sources").glob("*/module.modulemap"),
        *(kit.ROOT / ".build" / "checkouts").glob("*/Sources/*/include/module.modulemap"),
    ]
    program = folder / "first-program"
    command = [
        *("swiftc", "-parse-as-library", "-swift-version", "6", "-o", program, SOURCE),
        *("-I", built / "Modules", *LIBRARIES, f"@{objects}"),
        *(part for module in modules for part in ("-Xcc", f"-fmodule-map-file={module}")),
    ]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if result.returncode != 0:
        raise kit.Failure(result.stderr[-3000:])
    return program


def main():
    checks = kit.Checks()
    checks.that("the page shows the program that is run", SOURCE.read_text() in PAGE.read_text())
    with kit.temporary_folder("first-program") as folder, checks.group("it runs"):
        program = build(folder)
        with kit.broker("forktail", partitions=3) as bootstrap:
            result = subprocess.run(
                [program, bootstrap], capture_output=True, text=True, timeout=60
            )
            found = [(m.key(), m.value(), kit.headers(m)) for m in kit.read(bootstrap, ["orders"])]
        checks.that(
            "it sends three records and ends with 0",
            result.returncode == 0 and len(result.stdout.splitlines()) == 3,
            f"{result.returncode} {result.stdout} {result.stderr}",
        )
        headers = {"source": "first-program"}
        checks.equal(
            "they arrive, those of one customer in order",
            sorted(found, key=lambda record: record[0]),
            [(b"42", b"paid", headers), (b"42", b"closed", headers), (b"43", b"shipped", headers)],
        )
    checks.finish()


if __name__ == "__main__":
    main()
