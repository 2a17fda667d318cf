#!/usr/bin/env python3
"""Clients that others wrote use the embedded broker as they would use Kafka.

kcat reads what Forktail wrote; confluent-kafka and kcat write and read, with each codec, in
consumer groups, with keys, headers and tombstones.

    Tests/interop/stock_clients.py
"""

import pathlib
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

PIPELINE = """
from "none.csv"

parse csv(header: true) {
  id:   int
  name: string
}

send {
  topic = "people"
  key   = id
  headers {
    line = @line
    name = name
  }
  value = json(*)
}

on error stop
"""


def kcat(bootstrap, *arguments, given=""):
    result = subprocess.run(
        ["kcat", "-b", bootstrap, "-q", *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if result.returncode != 0:
        raise kit.Failure(f"kcat ended with {result.returncode}: {result.stderr[-500:]}")
    return result.stdout


def kcat_reads_what_forktail_wrote(checks, bootstrap, folder):
    count = 2000
    (folder / "people.pipeline").write_text(PIPELINE)
    rows = "".join(f"{number},name {number}\n" for number in range(1, count + 1))
    (folder / "people.csv").write_text("id,name\n" + rows)
    result = kit.forktail(
        *("backfill", folder / "people.pipeline", folder / "people.csv", "-b", bootstrap),
        *("--state-dir", folder / "state", "-X", "compression.type=lz4"),
        *("--progress", "none", "--yes"),
    )
    checks.that("kcat: Forktail's backfill ends with 0", result.returncode == 0, result.stderr)
    text = kcat(
        bootstrap, "-C", "-t", "people", "-e", "-X", "check.crcs=true", "-f", "%p|%k|%h|%s\n"
    )
    # The first record of a batch says where it is from.
    text = re.sub(r",forktail\.position=[^|]*", "", text)
    found = sorted((line.split("|") for line in text.splitlines()), key=lambda row: int(row[1]))
    wanted = [
        [
            str(kit.partition_of(str(number).encode(), 4)),
            str(number),
            f"line={number + 1},name=name {number}",
            f'{{"id":{number},"name":"name {number}"}}',
        ]
        for number in range(1, count + 1)
    ]
    checks.that(
        f"kcat reads the {count} records that Forktail wrote: partition, key, headers, value",
        found == wanted,
        f"{len(found)} records; {[pair for pair in zip(found, wanted) if pair[0] != pair[1]][:2]}",
    )


def kcat_writes_and_reads(checks, bootstrap):
    given = "".join(f"k{number}:value {number}\n" for number in range(500))
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        topic = f"kcat-{codec}"
        with checks.group(f"kcat writes and reads {codec}"):
            kcat(
                *(bootstrap, "-P", "-t", topic, "-K:", "-H", "from=kcat"),
                *("-X", f"compression.codec={codec}", "-X", "enable.idempotence=true"),
                given=given,
            )
            text = kcat(bootstrap, "-C", "-t", topic, "-e", "-K:", "-X", "check.crcs=true")
            checks.equal(
                f"kcat writes and reads {codec}", sorted(text.split("\n")), sorted(given.split("\n"))
            )


def confluent_writes_and_reads(checks, bootstrap):
    from confluent_kafka import Producer

    kit.create_topics(bootstrap, {"rows": 4})
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 5,
        }
    )
    wanted = {}
    for number in range(3000):
        key = f"key {number}".encode()
        value = None if number % 10 == 0 else f"value {number}".encode()
        fields = [("n", str(number).encode()), ("n", b"\x00\xff"), ("none", None)]
        stamp = 1_795_428_000_000 + number
        producer.produce("rows", key=key, value=value, headers=fields, timestamp=stamp)
        wanted[key] = (value, fields, (1, stamp), kit.partition_of(key, 4))
    checks.equal("confluent-kafka: all is acknowledged", producer.flush(30), 0)
    found = {
        each.key(): (each.value(), each.headers(), each.timestamp(), each.partition())
        for each in kit.read(bootstrap, ["rows"])
    }
    checks.that(
        "confluent-kafka reads what it wrote: tombstones, headers, timestamps, partitions",
        found == wanted,
        f"{len(found)} of {len(wanted)}",
    )


def member(bootstrap, group, topic):
    from confluent_kafka import Consumer

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
        }
    )
    consumer.subscribe([topic])
    return consumer


def keys_from(consumer, until):
    """Reads at least so many records, and commits what it read."""
    found, end = [], time.monotonic() + 30
    while len(found) < until and time.monotonic() < end:
        messages = [each for each in consumer.consume(200, 0.2) if each.error() is None]
        found += [each.key() for each in messages]
        if messages:
            consumer.commit(asynchronous=False)
    return found


def a_group_goes_on_where_it_committed(checks, bootstrap):
    found = []
    for until in (1000, 3000):
        consumer = member(bootstrap, "resuming", "rows")
        found += keys_from(consumer, until - len(found))
        consumer.close()
    checks.that(
        "a consumer group goes on where it committed",
        len(found) == len(set(found)) == 3000,
        f"{len(found)} records, {len(set(found))} different ones",
    )


def two_members_share_a_topic(checks, bootstrap):
    from confluent_kafka import Producer

    kit.create_topics(bootstrap, {"shared": 4})
    members = [member(bootstrap, "sharing", "shared") for _ in range(2)]

    def both_have_two():
        early = [message for each in members if (message := each.poll(0.1)) is not None]
        assert not [message for message in early if message.error() is None]
        return all(len(each.assignment()) == 2 for each in members)

    checks.that("two members get two partitions each", kit.wait_until(both_have_two, 40))
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in range(400):
        producer.produce("shared", key=str(number).encode(), partition=number % 4)
    producer.flush(20)
    found = [keys_from(each, 200) for each in members]
    for each in members:
        each.close()
    checks.that(
        "and read each record once between them",
        [len(keys) for keys in found] == [200, 200] and len(set(found[0] + found[1])) == 400,
        [len(keys) for keys in found],
    )


def main():
    checks = kit.Checks()
    with kit.temporary_folder("clients") as folder, kit.broker("forktail") as bootstrap:
        with checks.group("kcat reads what Forktail wrote"):
            kcat_reads_what_forktail_wrote(checks, bootstrap, folder)
        kcat_writes_and_reads(checks, bootstrap)
        with checks.group("confluent-kafka writes and reads"):
            confluent_writes_and_reads(checks, bootstrap)
        with checks.group("a consumer group goes on where it committed"):
            a_group_goes_on_where_it_committed(checks, bootstrap)
        with checks.group("two members share a topic"):
            two_members_share_a_topic(checks, bootstrap)
    checks.finish()


if __name__ == "__main__":
    main()
