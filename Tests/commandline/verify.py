#!/usr/bin/env python3
"""What `forktail verify` says of topics that are whole, and of topics that are not.

The records are made here, with the header `forktail.position` as Forktail writes it, so that they
can be wrong.

    Tests/commandline/verify.py
"""

import json
import pathlib
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

OWNER = "5f3a9c12e07b44d1"

PIPELINE = """
from "lines.log"

parse regex('^(?<number>\\d+) ') {
  number: int
}

drop "every tenth" if number % 10 == 9

send {
  topic = "lines"
  key   = number
  value = @raw
}

on error dead_letter "lines.dead"
"""

LINES = 60


def produce(bootstrap, topic, batches, **properties):
    """Sends each list of (key, place or None, partition) as a batch of its own."""
    from confluent_kafka import Producer

    failures = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "enable.idempotence": True,
            "log_level": 3,
            **properties,
        }
    )
    for batch in batches:
        for key, place, partition in batch:
            headers = [] if place is None else [("forktail.position", place.encode())]
            producer.produce(
                topic,
                b"v",
                key,
                partition,
                headers=headers,
                on_delivery=lambda error, _: failures.append(error) if error else None,
            )
        producer.flush(20)
    if failures:
        raise kit.Failure(f"{failures[0]}")


def place(offset, send=0, file=1, owner=OWNER):
    return f"{owner}/{file}/0/{offset}+{send}"


def owner_of(state):
    with sqlite3.connect(state / "checkpoints.db") as database:
        (owner,) = database.execute("SELECT owner FROM ownership").fetchone()
    return f"{owner % (1 << 64):016x}"


def verify(bootstrap, *arguments, **options):
    return kit.forktail("verify", "-b", bootstrap, *arguments, **options)


# MARK: Without the file


def order_of_runs(checks, bootstrap):
    kit.create_topics(bootstrap, {"good": 2, "twice": 1, "back": 1, "others": 1, "empty": 1})
    produce(bootstrap, "good", [
        [(b"a", place(0), 0), (b"a", None, 0), (b"b", place(10), 1)],
        [(b"a", place(40), 0), (b"c", place(5, file=2), 0)],
    ])
    result = verify(bootstrap, "-t", "good")
    checks.that(
        "runs that go forward are right, and what was not checked is said",
        result.returncode == 0
        and "right order, no run repeated: 5 records of 2 files in 2 partitions" in result.stdout
        and "not checked: " in result.stdout,
        f"{result.returncode} {result.stdout} {result.stderr}",
    )

    produce(bootstrap, "twice", [[(b"a", place(0), 0), (b"a", None, 0)], [(b"a", place(0), 0)]])
    result = verify(bootstrap, "-t", "twice")
    checks.that(
        "a run that is there twice is a repeat, with both places",
        result.returncode == 65
        and "repeated  twice-0" in result.stdout
        and "offset 2: 1 records from 0+0 on, which are at offset 0 already" in result.stdout,
        f"{result.returncode} {result.stdout} {result.stderr}",
    )

    produce(bootstrap, "back", [[(b"a", place(50), 0)], [(b"a", place(10), 0)]])
    result = verify(bootstrap, "-t", "back", "--json")
    report = json.loads(result.stdout)
    checks.that(
        "a run that begins before an earlier one is out of order",
        result.returncode == 65
        and report["fault_counts"] == {"gap": 0, "repeated": 0, "disorder": 1}
        and report["faults"][0]["topic"] == "back"
        and not report["proven"],
        result.stdout,
    )

    produce(bootstrap, "others", [[(b"a", None, 0)]])
    for topic in ("others", "empty"):
        result = verify(bootstrap, "-t", topic)
        checks.that(
            f"nothing is proven of topic {topic}, where no record has a position",
            result.returncode == 65 and "nothing proven" in result.stdout,
            f"{result.returncode} {result.stdout} {result.stderr}",
        )


def every_codec(checks, bootstrap):
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        topic = f"codec-{codec}"
        kit.create_topics(bootstrap, {topic: 1})
        batches = [[(b"k" * 40, place(1000 * n + i), 0) for i in range(200)] for n in range(20)]
        produce(bootstrap, topic, batches, **{"compression.type": codec})
        result = verify(bootstrap, "-t", topic, "--json")
        report = json.loads(result.stdout or "{}")
        checks.that(
            f"batches in {codec} are read",
            result.returncode == 0 and report["records"] == 4000,
            f"{result.returncode} {result.stdout} {result.stderr}",
        )


def transactions(checks, bootstrap):
    from confluent_kafka import Producer

    kit.create_topics(bootstrap, {"paid": 1})
    producer = Producer(
        {"bootstrap.servers": bootstrap, "transactional.id": "t", "log_level": 3}
    )
    producer.init_transactions(20)
    for attempt in ("abort", "commit"):
        producer.begin_transaction()
        for number in range(10):
            headers = [("forktail.position", place(number).encode())] if number == 0 else []
            producer.produce("paid", b"v", b"k", headers=headers)
        producer.flush(20)
        producer.abort_transaction(20) if attempt == "abort" else producer.commit_transaction(20)
    result = verify(bootstrap, "-t", "paid", "--json")
    checks.that(
        "what was aborted does not count",
        result.returncode == 0 and json.loads(result.stdout)["records"] == 10,
        f"{result.returncode} {result.stdout} {result.stderr}",
    )
    result = verify(bootstrap, "-t", "paid", "--json", "--uncommitted")
    report = json.loads(result.stdout)
    checks.that(
        "with --uncommitted it does",
        result.returncode == 65
        and report["records"] == 20
        and report["fault_counts"]["repeated"] == 1,
        f"{result.returncode} {result.stdout} {result.stderr}",
    )


def times(checks, bootstrap):
    kit.create_topics(bootstrap, {"times": 1})
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 3})
    for number in range(10):
        headers = [("forktail.position", place(number).encode())]
        producer.produce("times", b"v", b"k", timestamp=1_000_000 + number, headers=headers)
        producer.flush(20)
    for arguments, count in [
        (["--from", 1_000_004], 6),
        (["--to", 1_000_004], 4),
        (["--from", 1_000_002, "--to", 1_000_005], 3),
        (["--from", 9_000_000], 0),
    ]:
        result = verify(bootstrap, "-t", "times", "--json", *arguments)
        report = json.loads(result.stdout or "{}")
        checks.equal(f"{arguments} reads {count} records", report.get("records"), count)


# MARK: Against the file


def against_the_file(checks, folder):
    (folder / "lines.pipeline").write_text(PIPELINE)
    lines = [f"{number} line\n" for number in range(LINES)]
    (folder / "lines.log").write_text("".join(lines))
    state = folder / "state"
    with kit.broker("forktail", partitions=2) as bootstrap:
        result = kit.forktail(
            "run", folder / "lines.pipeline", "-b", bootstrap, "--state-dir", state, "--once",
            "--start", "beginning",
        )
        checks.equal("the file is shipped once", result.returncode, 0)

    owner = owner_of(state)
    offsets = [sum(map(len, lines[:number])) for number in range(LINES)]
    sent = [number for number in range(LINES) if number % 10 != 9]

    def records(numbers):
        """A batch for each partition, as Forktail would make them."""
        batches = {}
        for number in numbers:
            key = str(number).encode()
            partition = kit.partition_of(key, 2)
            batch = batches.setdefault(partition, [])
            mark = None if batch else place(offsets[number], owner=owner)
            batch.append((key, mark, partition))
        return [batches[partition] for partition in sorted(batches)]

    cases = [
        ("whole", [sent[:20], sent[20:]], 0, "no gap, no repeat, right order: 54 records"),
        (
            "one record short",
            [sent[:20], sent[21:]],
            65,
            f"missing in topic lines: 1 records, the first at {offsets[sent[20]]}",
        ),
        (
            "sent again from a checkpoint",
            [sent[:30], sent[20:]],
            65,
            f"more than once in topic lines: 10 records, the first at {offsets[sent[20]]}",
        ),
        (
            "of records that the pipeline drops",
            [sent[:30], [9], sent[30:]],
            65,
            "not what the pipeline makes, in topic lines: 1 records, the first at "
            f"{offsets[9]}",
        ),
    ]
    for name, parts, code, text in cases:
        with kit.broker("forktail", partitions=2) as bootstrap:
            kit.create_topics(bootstrap, {"lines": 2})
            for part in parts:
                produce(bootstrap, "lines", records(part))
            result = verify(bootstrap, folder / "lines.pipeline", "--state-dir", state)
            checks.that(
                f"a topic that is {name} ends with {code}",
                result.returncode == code and text in result.stdout,
                f"{result.returncode} {result.stdout} {result.stderr}",
            )
            if code == 0:
                checks.that(
                    "a topic to which nothing was sent is said not to be there",
                    "not checked: there is no topic lines.dead" in result.stdout,
                    result.stdout,
                )
                (folder / "lines.log").rename(folder / "moved.log")
                result = verify(bootstrap, folder / "lines.pipeline", "--state-dir", state)
                (folder / "moved.log").rename(folder / "lines.log")
                checks.that(
                    "of a file that is gone it says what was not checked",
                    result.returncode == 0
                    and "not checked: " in result.stdout
                    and "right order" in result.stdout,
                    f"{result.returncode} {result.stdout} {result.stderr}",
                )


# MARK: Brokers


def replicated(bootstrap, topic, partitions):
    """Makes a topic that every one of three brokers has."""
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    wanted = NewTopic(topic, num_partitions=partitions, replication_factor=3)
    admin.create_topics([wanted], operation_timeout=10)[topic].result(20)


def leaders_that_move(checks):
    process = kit.start_broker("forktail", options=["--brokers", "3"])
    try:
        bootstrap = process.bootstrap
        replicated(bootstrap, "moves", 3)
        for partition in range(3):
            batches = [[(b"k", place(1000 * n + partition), partition)] for n in range(10)]
            produce(bootstrap, "moves", batches)
        for partition in range(3):
            kit.tell_broker(process, f"leader moves {partition} {1 + (partition + 1) % 3}")
        kit.tell_broker(process, "down 2")
        result = verify(bootstrap, "-t", "moves", "--json")
        report = json.loads(result.stdout or "{}")
        checks.that(
            "a cluster without one of its brokers is read",
            result.returncode == 0 and report["records"] == 30,
            f"{result.returncode} {result.stdout} {result.stderr}",
        )
    finally:
        kit.stop_broker(process)


def what_is_wrong(checks, folder, bootstrap):
    result = verify(f"127.0.0.1:{kit.free_port()}", "-t", "lines", "--timeout", "1s")
    checks.that(
        "without a broker it ends with 69 and the reason",
        result.returncode == 69 and "Connection refused" in result.stderr,
        f"{result.returncode} {result.stderr}",
    )
    result = verify(bootstrap, "-t", "nowhere")
    checks.that(
        "a topic that is not there is named, and not made",
        result.returncode == 65 and 'there is no topic "nowhere"' in result.stderr,
        f"{result.returncode} {result.stderr}",
    )
    result = verify(bootstrap)
    checks.equal("without a topic it ends with 64", result.returncode, 64)
    result = verify(bootstrap, "-t", "lines", "--state-dir", folder / "no-state")
    checks.equal("without checkpoints it ends with 66", result.returncode, 66)


def main():
    checks = kit.Checks()
    with kit.temporary_folder("verify") as folder:
        with kit.broker("forktail", partitions=1) as bootstrap:
            for body in (order_of_runs, every_codec, transactions, times):
                with checks.group(body.__name__):
                    body(checks, bootstrap)
            with checks.group("what_is_wrong"):
                what_is_wrong(checks, folder, bootstrap)
        with checks.group("against_the_file"):
            against_the_file(checks, folder)
        with checks.group("leaders_that_move"):
            leaders_that_move(checks)
    checks.finish()


if __name__ == "__main__":
    main()
