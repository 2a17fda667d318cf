#!/usr/bin/env python3
"""A backfill through a proxy that loses answers, cuts and stalls: each line is there once.

    Tests/interop/faults.py [forktail|noida|tansu]…
"""

import pathlib
import subprocess
import sys
from collections import Counter

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit
from fault_proxy import PRODUCE, FaultProxy

LINES = 60_000
PARTITIONS = 3

PIPELINE = """
from "none.log"

parse regex('^(?<number>\\d+) (?<text>.*)$') {
  number: int
  text:   string
}

send {
  topic = "faulty"
  key   = number
  value = @raw
}

on error stop
"""


def main():
    checks = kit.Checks()
    for kind in sys.argv[1:] or kit.BROKERS:
        with checks.group(f"faults before {kind}"), kit.temporary_folder("faults") as folder:
            with kit.broker(kind) as bootstrap:
                run(checks, kind, folder, bootstrap)
    checks.finish()


def run(checks, kind, folder, bootstrap):
    kit.create_topics(bootstrap, {"faulty": PARTITIONS})
    (folder / "faulty.pipeline").write_text(PIPELINE)
    source = folder / "numbers.log"
    source.write_text("".join(f"{n} some text of a line, {n * 7919}\n" for n in range(LINES)))
    with FaultProxy(bootstrap) as proxy, open(folder / "log", "w") as log:
        # Small batches and requests, so that there are many answers to lose.
        command = [
            *(kit.FORKTAIL, "backfill", folder / "faulty.pipeline", source),
            *("-b", proxy.bootstrap, "--state-dir", folder / "state"),
            *("-X", "batch.size=8192", "-X", "max.request.size=32768"),
            *("-X", "request.timeout.ms=1500", "--progress", "none", "--yes"),
        ]
        proxy.lose_answers(PRODUCE, 1)
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
        faults = [
            lambda: proxy.lose_answers(PRODUCE, 3),
            proxy.cut,
            lambda: proxy.stall(0.4),
            lambda: proxy.refuse(0.5),
            lambda: proxy.stall(2.0),
            lambda: proxy.lose_answers(PRODUCE, 2),
        ]
        for fault in faults:
            # The next fault once some requests have passed since the last.
            target = proxy.requests[PRODUCE] + 15
            kit.wait_until(
                lambda: proxy.requests[PRODUCE] >= target or process.poll() is not None,
                timeout=20,
                every=0.001,
            )
            fault()
        try:
            code = process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            code = "not ended"
        checks.that(
            f"backfill through faults to {kind} ends with 0",
            code == 0,
            f"{code} {(folder / 'log').read_text()[-600:]}",
        )
        checks.that(
            f"answers were lost and connections cut before {kind}",
            proxy.lost[PRODUCE] >= 4 and proxy.cuts > 0,
            f"{proxy.lost[PRODUCE]} lost, {proxy.cuts} cut, {proxy.requests[PRODUCE]} requests",
        )
    counts, last, unordered = Counter(), {}, 0
    for message in kit.read(bootstrap, ["faulty"]):
        number = int(message.key())
        counts[number] += 1
        unordered += number <= last.get(message.partition(), -1)
        last[message.partition()] = number
    checks.that(
        f"through faults to {kind}: {LINES} lines, none lost, none repeated, in order",
        len(counts) == counts.total() == LINES and not unordered,
        f"{LINES - len(counts)} lost, {counts.total() - len(counts)} repeated, "
        f"{unordered} out of order",
    )


if __name__ == "__main__":
    main()
