#!/usr/bin/env python3
"""Scenarios of docs/scenarios.md that want a real process: its memory, its descriptors, its speed.

    Tests/commandline/scenarios.py
"""

import os
import pathlib
import shutil
import sys
from collections import Counter

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

PIPELINE = """
from {globs} {{
  {settings}
}}

parse text

send {{
  topic   = "lines"
  key     = null
  value   = @raw
  headers {{
    source-file   = @file
    source-offset = @offset
  }}
}}

on error stop
"""


class Scenario:
    """A folder with a pipeline, its logs and its state, and a broker with one partition."""

    def __init__(self, folder, bootstrap, globs='"logs/*.log"', settings=""):
        self.folder = folder
        self.bootstrap = bootstrap
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True)
        text = PIPELINE.format(globs=globs, settings=settings)
        (folder / "it.pipeline").write_text(text)

    def service(self, *extra):
        return kit.Service(
            self.folder / "service.log",
            *(self.folder / "it.pipeline", "--state-dir", self.folder / "state"),
            *("--start", "beginning", "-b", self.bootstrap, *extra),
        )

    def messages(self):
        return list(kit.read(self.bootstrap, ["lines"]))

    def values(self):
        return [message.value().decode() for message in self.messages()]

    def wait_for(self, count, timeout=60):
        return kit.wait_until(lambda: len(self.values()) >= count, timeout, every=0.2)


def resident(service, field="VmHWM"):
    """Bytes of memory that a process has, or has had at most."""
    for line in pathlib.Path(f"/proc/{service.process.pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def open_files(service, folder):
    descriptors = pathlib.Path(f"/proc/{service.process.pid}/fd")
    targets = []
    for descriptor in descriptors.iterdir():
        try:
            targets.append(os.readlink(descriptor))
        except OSError:
            pass
    return [target for target in targets if target.startswith(str(folder))]


def a_line_of_50_megabytes(checks, folder):
    with kit.broker("forktail", partitions=1) as bootstrap:
        it = Scenario(folder, bootstrap)
        (it.logs / "a.log").write_text("first\n")
        with it.service("-X", "max.request.size=2097152") as service:
            it.wait_for(1)
            before = resident(service)
            with open(it.logs / "a.log", "a") as file:
                for _ in range(50):
                    file.write("x" * (1 << 20))
                file.write("\nlast\n")
            it.wait_for(3)
            grown = resident(service) - before
            checks.equal("14: it ends with 0", service.terminate(), 0)
        lengths = [len(value) for value in it.values()]
        checks.equal("14: a line of 50 MB is cut at max_line", lengths, [5, 1 << 20, 4])
        checks.that("14: and memory stays bounded", grown < 40 << 20, f"{grown >> 20} MiB more")


def a_live_file_beside_a_backlog(checks, folder):
    with kit.broker("forktail", partitions=1) as bootstrap:
        it = Scenario(folder, bootstrap)
        line = "backlog " + "x" * 120 + "\n"
        (it.logs / "big.log").write_text(line * 200_000)
        (it.logs / "live.log").write_text("live\n")
        with it.service() as service:
            it.wait_for(200_001)
            checks.equal("32: it ends with 0", service.terminate(), 0)
        values = it.values()
        checks.equal("32: all of the backlog arrives", len(values), 200_001)
        place = values.index("live")
        checks.that("32: a live file does not wait behind it", place < 20_000, f"line {place}")


def a_thousand_files(checks, folder):
    with kit.broker("forktail", partitions=1) as bootstrap:
        it = Scenario(folder, bootstrap)
        names = [f"{number}.log" for number in range(1000)]

        def append(numbers):
            for name in names:
                with open(it.logs / name, "a") as file:
                    file.write("".join(f"{name} {number}\n" for number in numbers))

        append(range(50))
        with it.service() as service:
            append(range(50, 100))
            it.wait_for(100_000)
            checks.equal("33: it ends with 0", service.terminate(), 0)
        by_file = {name: [] for name in names}
        for value in it.values():
            by_file[value.split()[0]].append(int(value.split()[1]))
        wrong = [name for name in names if by_file[name] != list(range(100))]
        checks.equal("33: 1000 files of 100 lines arrive, each line once and in order", wrong, [])


def a_thousand_files_once(checks, folder):
    with kit.broker("forktail", partitions=1) as bootstrap:
        it = Scenario(folder, bootstrap)
        for number in range(1000):
            (it.logs / f"{number}.log").write_text(f"{number}\n")
        with it.service("--once") as service:
            checks.equal("33: run --once ends with 0", service.wait(60), 0)
        wanted = [str(number) for number in range(1000)]
        values = sorted(it.values(), key=int)
        checks.that("33: 1000 files arrive whole before it ends", values == wanted, len(values))
        found = service.log.count('"event":"file.found"')
        checks.equal("33: and each is read once", found, 1000)


def more_files_than_descriptors(checks, folder):
    with kit.broker("forktail", partitions=1) as bootstrap:
        it = Scenario(folder, bootstrap)
        # 513 files for 128 descriptors.
        for number in range(513):
            (it.logs / f"{number}.log").write_text(f"{number} a\n{number} b\n")
        program = folder / "forktail"
        program.write_text(f'#!/bin/sh\nulimit -n 128\nexec "{kit.FORKTAIL}" "$@"\n')
        program.chmod(0o755)
        real, kit.FORKTAIL = kit.FORKTAIL, program
        try:
            with it.service() as service:
                it.wait_for(1026)
                for number in range(513):
                    with open(it.logs / f"{number}.log", "a") as file:
                        file.write(f"{number} c\n")
                checks.that("34: it goes on", it.wait_for(1539), service.log[-500:])
                checks.equal("34: it ends with 0", service.terminate(), 0)
        finally:
            kit.FORKTAIL = real
        wanted = Counter(f"{number} {letter}" for number in range(513) for letter in "abc")
        checks.that(
            "34: 513 files arrive whole with 128 descriptors", Counter(it.values()) == wanted
        )


def deleted_while_open(checks, folder):
    with kit.broker("forktail", partitions=1) as bootstrap:
        it = Scenario(folder, bootstrap, settings="rotate_wait = 1s")
        (it.logs / "a.log").write_text("1\n")
        with it.service() as service:
            it.wait_for(1)
            checks.equal("43: the file is open", len(open_files(service, it.logs)), 1)
            with open(it.logs / "a.log", "a") as file:
                file.write("2\n")
                os.unlink(it.logs / "a.log")
            it.wait_for(2)
            released = kit.wait_until(lambda: not open_files(service, it.logs), 20)
            checks.that("43: a deleted file is let go of", released)
            checks.equal("43: it ends with 0", service.terminate(), 0)
        checks.equal("43: and its last lines arrive", it.values(), ["1", "2"])


def copytruncate(checks, folder):
    with kit.broker("forktail", partitions=1) as bootstrap:
        it = Scenario(folder, bootstrap)
        path = it.logs / "a.log"
        written = 0
        with it.service() as service, open(path, "a") as file:
            for _ in range(10):
                for _ in range(2000):
                    file.write(f"{written}\n")
                    written += 1
                file.flush()
                # All is read before the truncation.
                it.wait_for(written)
                shutil.copy(path, it.logs / "a.log.1")
                os.truncate(path, 0)
            checks.equal("46: it ends with 0", service.terminate(), 0)
        wanted = [str(number) for number in range(written)]
        checks.equal("46: copytruncate, ten times: each of 20000 lines once", it.values(), wanted)


def main():
    checks = kit.Checks()
    bodies = [
        a_line_of_50_megabytes,
        a_live_file_beside_a_backlog,
        a_thousand_files,
        a_thousand_files_once,
        more_files_than_descriptors,
        deleted_while_open,
        copytruncate,
    ]
    only = sys.argv[1:]
    for body in bodies:
        if only and body.__name__ not in only:
            continue
        with kit.temporary_folder("scenarios") as folder, checks.group(body.__name__):
            body(checks, folder / "it")
    checks.finish()


if __name__ == "__main__":
    main()
