#!/usr/bin/env python3
"""The first program of the Kafka library's documentation compiles, sends and ends.

    Tests/interop/first_program.py
"""

import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit
import swift_program

SOURCE = kit.ROOT / "examples" / "producer" / "Sources" / "first-program" / "FirstProgram.swift"
PAGE = kit.ROOT / "Sources" / "Kafka" / "Kafka.docc" / "FirstProgram.md"


def main():
    checks = kit.Checks()
    checks.that("the page shows the program that is run", SOURCE.read_text() in PAGE.read_text())
    with kit.temporary_folder("first-program") as folder, checks.group("it runs"):
        program = swift_program.build(SOURCE, folder)
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
