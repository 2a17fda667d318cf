#!/usr/bin/env python3
"""Each codec to each broker: the same lines come back, checksums right, and compressed as asked.

    Tests/interop/codecs.py [forktail|noida|tansu]…
"""

import pathlib
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

PARTITIONS = 3

PIPELINE = """
from "none.log"

parse text

send {
  topic = "TOPIC"
  key   = null
  value = @raw
}

on error stop
"""


def lines():
    """Short lines, long ones, an empty-looking one, bytes that do not compress."""
    rng = random.Random(7)
    found = []
    for number in range(20_000):
        text = f"{number} the quick brown fox {rng.choice(['jumps', 'rests'])}"
        if number % 100 == 0:
            text += " " + "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=3000))
        if number % 5000 == 0:
            text += " " + "x" * 200_000
        found.append(text.encode())
    return found


def main():
    checks = kit.Checks()
    wanted = lines()
    for kind in sys.argv[1:] or kit.BROKERS:
        with kit.temporary_folder("codecs") as folder, kit.broker(kind) as bootstrap:
            source = folder / "lines.log"
            source.write_bytes(b"\n".join(wanted) + b"\n")
            topics = {f"codec-{codec}": PARTITIONS for codec in kit.CODECS}
            kit.create_topics(bootstrap, topics)
            for codec in kit.CODECS:
                with checks.group(f"{codec} to {kind}"):
                    ship(checks, f"{codec} to {kind}", codec, folder, source, bootstrap, wanted)
    checks.finish()


def ship(checks, label, codec, folder, source, bootstrap, wanted):
    topic = f"codec-{codec}"
    pipeline = folder / f"{topic}.pipeline"
    pipeline.write_text(PIPELINE.replace("TOPIC", topic))
    result = kit.forktail(
        *("backfill", pipeline, source, "-b", bootstrap, "--state-dir", folder / "state"),
        *("-X", f"compression.type={codec}", "-X", "batch.size=100000"),
        *("--progress", "none", "--yes"),
    )
    checks.that(
        f"{label}: backfill ends with 0",
        result.returncode == 0,
        f"{result.returncode} {result.stderr[-600:]}",
    )
    values, partitions, unordered = [], {}, 0
    for message in kit.read(bootstrap, [topic]):
        values.append(message.value())
        number = int(message.value().split(b" ", 1)[0])
        unordered += number <= partitions.get(message.partition(), -1)
        partitions[message.partition()] = number
    checks.that(
        f"{label}: the same {len(wanted)} lines, in order",
        sorted(values) == sorted(wanted) and unordered == 0,
        f"{len(values)} lines, {unordered} out of order",
    )
    checks.that(
        f"{label}: spread over partitions", len(partitions) > 1, sorted(partitions)
    )
    codecs = set().union(*(kit.stored_codecs(bootstrap, topic, p) for p in partitions))
    checks.equal(f"{label}: compressed as asked", codecs, {codec})


if __name__ == "__main__":
    main()
