#!/usr/bin/env python3
"""The embedded broker answers as Apache Kafka does, also to what no good client sends.

Each row asks one thing by hand-written bytes and says what Kafka answers.

    Tests/interop/battery.py
"""

import pathlib
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit
import wire
from rows import ABORTABLE, BAD_ACKS, BAD_MAPPING, CONCURRENT, CORRUPT, EXISTS, FENCED, INVALID
from rows import NONE, OLD_EPOCH, OUT_OF_ORDER, TOO_LARGE, TXN_STATE, UNAUTHORIZED, UNKNOWN_TOPIC
from rows import UNSUPPORTED_VERSION, Battery
from wire import Client, batch

# MARK: Basics


def versions_and_topics(battery):
    with battery.client() as client:
        error, known, tags = client.api_versions(3)
        battery.row("ApiVersions 3", error, NONE)
        battery.row("Produce is offered from 0 on", known[wire.PRODUCE], (0, 13))
        battery.row("AddPartitionsToTxn for clients", known[wire.ADD_PARTITIONS_TO_TXN], (0, 3))
        features = wire.Reader(tags[2], True).array(
            lambda each: (each.text(), each.take("h"), each.take("h"), each.tags())[:3]
        )
        battery.row("transaction.version is finalized", features, [("transaction.version", 2, 2)])
    with battery.client() as client:
        client.send(wire.API_VERSIONS, 99, b"\x02x\x02x\0")
        answer = client.receive(wire.API_VERSIONS, 0)[1]
        battery.row("ApiVersions 99 is refused", answer.take("h"), UNSUPPORTED_VERSION)
        own = answer.array(lambda each: each.take("hhh"))
        battery.row("... in version 0, with what is known of it", own, [(18, 0, 4)])
    with battery.client() as client:
        battery.row("a topic is made", client.create_topic("made", 3), NONE)
        battery.row("... once", client.create_topic("made", 3), EXISTS)
        error, partitions = client.metadata(["auto"], create=True)[1]["auto"]
        battery.row("a topic is made when it is mentioned", (error, len(partitions)), (NONE, 1))
        error, _ = client.metadata(["nowhere"])[1]["nowhere"]
        battery.row("... if the client wants it", error, UNKNOWN_TOPIC)
        battery.row("FindCoordinator for a transaction", client.find_coordinator("tx")[0], NONE)


def acks(battery):
    topic = battery.topic()
    with battery.client() as client:
        for number, ack in enumerate((1, -1)):
            found = client.produce(topic, 0, batch(), acks=ack)
            battery.row(f"acks={ack}", (found.error, found.base), (NONE, number))
        client.send_produce({topic: {0: batch()}}, acks=0)
        battery.row("acks=0 is not answered", client.is_silent(), True)
        battery.row("... and appended", battery.end(topic), 3)
        client.send_produce({"nowhere": {0: batch()}}, acks=0)
        battery.row("acks=0 with an error closes the connection", client.is_silent(), None)
    with battery.client() as client:
        found = client.produce(topic, 0, batch(), acks=2)
        battery.row("acks=2", (found.error, found.base), (BAD_ACKS, -1))
        client.send_produce({})
        battery.row("no topics", client.produced()[1], {})
        battery.row("an unknown topic", client.produce("x", 0, batch()).error, UNKNOWN_TOPIC)
        battery.row("an unknown partition", client.produce(topic, 99, batch()).error, UNKNOWN_TOPIC)
        for version in range(3, 13):
            found = client.produce(topic, 0, batch(), version=version)
            battery.row(f"Produce {version}", found.error, NONE)
        first = battery.end(topic)
        sent = [client.send_produce({topic: {0: batch()}}) for _ in range(20)]
        back = [client.produced() for _ in range(20)]
        offsets = [answer[topic][0].base for _, answer in back]
        battery.row("20 requests are answered in order", [number for number, _ in back], sent)
        battery.row("... and appended in order", offsets, list(range(first, first + 20)))


LIES = [
    ("a wrong checksum", CORRUPT, {"crc": 12345}),
    ("a flipped bit", CORRUPT, {"flip": True}),
    ("five records for one", INVALID, {"count": 5, "last_delta": 4}),
    ("a last offset delta of seven", INVALID, {"last_delta": 7}),
    ("magic 1", INVALID, {"magic": 1}),
    ("magic 9", CORRUPT, {"magic": 9}),
    ("a control batch", INVALID, {"control": True}),
    ("an unknown codec", -1, {"codec": 5}),
    ("gzip", NONE, {"codec": 1}),
    ("a base offset", NONE, {"base": 1000}),
    ("next year's timestamp", NONE, {"timestamp": int(time.time() * 1000) + 365 * 86_400_000}),
    ("a timestamp of 2001", NONE, {"timestamp": 1_000_000_000_000}),
]


def batches(battery):
    topic = battery.topic()
    with battery.client() as client:
        for name, wanted, change in LIES:
            before = battery.end(topic)
            found = client.produce(topic, 0, batch(**change))
            added = battery.end(topic) - before
            battery.row(name, (found.error, added), (wanted, 1 if wanted == NONE else 0))
        for name, records in [("two batches", batch() * 2), ("no batch", b""), ("null", None)]:
            battery.row(name, client.produce(topic, 0, records).error, INVALID)
        for size, wanted in [(900_000, NONE), (1_100_000, TOO_LARGE)]:
            found = client.produce(topic, 0, batch([b"x" * size]))
            battery.row(f"a record of {size} bytes", found.error, wanted)


# MARK: Sequences


def sequences(battery):
    topic = battery.topic(2)
    with battery.client() as client:
        error, pid, epoch = client.init_producer_id()
        battery.row("a producer id", (error, epoch), (NONE, 0))

        def send(sequence, count=1, pid=pid, epoch=epoch, partition=0, acks=-1):
            records = batch([b"v"] * count, pid=pid, epoch=epoch, sequence=sequence)
            found = client.produce(topic, partition, records, acks=acks)
            return found.error, found.base

        refused = (OUT_OF_ORDER, -1)
        battery.row("sequence 0", send(0, 3), (NONE, 0))
        battery.row("... again: its own offset", send(0, 3), (NONE, 0))
        battery.row("... nothing is appended", battery.end(topic), 3)
        battery.row("sequence 3", send(3, 2), (NONE, 3))
        battery.row("the older one again: its own offset", send(0, 3), (NONE, 0))
        battery.row("a gap", send(100), refused)
        battery.row("an overlap", send(4, 2), refused)
        battery.row("the right one after errors", send(5), (NONE, 5))
        for sequence in range(6, 14):
            send(sequence)
        battery.row("one that is too old to be known", send(0, 3), refused)
        battery.row("the fifth last is known", send(9), (NONE, 9))
        battery.row("the sixth last is not", send(8), refused)
        battery.row("a new partition may begin anywhere", send(7, partition=1), (NONE, 0))
        battery.row("an epoch that the client raised", send(0, epoch=epoch + 1), (NONE, 14))
        battery.row("the old epoch after that", send(14), (OLD_EPOCH, -1))
        battery.row("a new epoch not from 0 on", send(3, epoch=epoch + 5), refused)
        battery.row("an id that nobody gave", send(9, pid=888_888, epoch=0), (NONE, 15))
        battery.row("a sequence with acks=1", send(1, epoch=epoch + 1, acks=1), (NONE, 16))
        other = client.init_producer_id().pid
        battery.row("sequences up to the last one", send(2**31 - 2, 2, pid=other)[0], NONE)
        battery.row("... go on at 0", send(0, pid=other)[0], NONE)
        across = client.init_producer_id().pid
        battery.row("sequences wrap in a batch", send(2**31 - 2, 4, pid=across)[0], NONE)
        battery.row("... and go on behind it", send(2, pid=across)[0], NONE)
        again = client.init_producer_id(pid=pid, epoch=epoch)
        battery.row("an id for who has one", (again.error, again.epoch), (NONE, 0))
    the_same_on_two_connections(battery, topic)


def the_same_on_two_connections(battery, topic):
    with battery.client() as one, battery.client() as other:
        pid, before = one.init_producer_id().pid, battery.end(topic)
        records = batch([b"v"] * 2, pid=pid, epoch=0, sequence=0)
        for client in (one, other) * 3:
            client.send_produce({topic: {0: records}})
        answers = [client.produced()[1][topic][0] for client in (one, other) * 3]
        found = {(answer.error, answer.base) for answer in answers}
        battery.row("a batch six times at once has one offset", list(found), [(NONE, before)])
        battery.row("... and is appended once", battery.end(topic), before + 2)


# MARK: Transactions


def committed_and_not(client, topic, partition=0):
    """Records that are seen by those who read committed ones, and by the others."""
    fetched = client.fetch(topic, partition, committed=True)
    waiting, ended, count = sorted(fetched.aborted, key=lambda each: each[1]), set(), 0
    for each in wire.batches(fetched.data):
        while waiting and waiting[0][1] <= each.base + each.last_delta:
            ended.add(waiting.pop(0)[0])
        if each.attributes & 0x20:
            ended.discard(each.pid)
        elif not (each.attributes & 0x10 and each.pid in ended):
            count += each.count
    everything = client.fetch(topic, partition)
    data = [each for each in wire.batches(everything.data) if not each.attributes & 0x20]
    return count, sum(each.count for each in data), fetched.stable_end


def shape(client, topic):
    marks = {0: "-", 0x10: "T", 0x30: "C"}
    found = wire.batches(client.fetch(topic, 0).data)
    return " ".join(f"{each.base}:{marks[each.attributes & 0x30]}{each.count}" for each in found)


class Transactional:
    """A transactional producer by hand."""

    def __init__(self, battery, client, topic, name, version=8):
        self.client, self.topic, self.name, self.version = client, topic, name, version
        self.identity = wire.Identity(-1, -1, -1)

    def begin(self, timeout=60000, **options):
        found = self.client.init_producer_id(self.name, timeout, **options)
        if found.error == NONE:
            self.identity = found
        return found.error

    def add(self, *partitions, version=2):
        found = self.client.add_partitions(
            self.name, self.identity, self.topic, list(partitions), version
        )
        return list(found.values())

    def send(self, sequence, count=1, partition=0, transactional=True, name=None):
        records = batch(
            [b"v"] * count,
            pid=self.identity.pid,
            epoch=self.identity.epoch,
            sequence=sequence,
            transactional=transactional,
        )
        found = self.client.produce(
            self.topic, partition, records, name=name or self.name, version=self.version
        )
        return found.error, found.base

    def end(self, commit, version=2):
        found = self.client.end_transaction(self.name, self.identity, commit, version)
        if version >= 5 and found.error == NONE:
            self.identity = found
        return found if version < 5 else found.error


def transactions(battery):
    topic = battery.topic(2)
    with battery.client() as client:
        one = Transactional(battery, client, topic, "tx")
        battery.row("a transactional id", (one.begin(), one.identity.epoch), (NONE, 0))
        battery.row("a partition that was not added", one.send(0, partition=1), (TXN_STATE, -1))
        one.version = 11
        battery.row("... in Produce 11", one.send(0, partition=1), (ABORTABLE, -1))
        one.version = 8
        battery.row("AddPartitionsToTxn", one.add(0), [NONE])
        battery.row("a batch of a transaction", one.send(0, 4), (NONE, 0))
        battery.row("... again", one.send(0, 4), (NONE, 0))
        battery.row("outside the transaction", one.send(4, transactional=False), (TXN_STATE, -1))
        battery.row("while it is open", committed_and_not(client, topic), (0, 4, 0))
        found = client.describe_producers(topic, 0)
        battery.row("DescribeProducers tells of it", found, {one.identity.pid: (0, 3, 0)})
        stable = client.list_offset(topic, 0, committed=True)[2]
        battery.row("the stable end by ListOffsets", stable, 0)
        battery.row("commit", one.end(True), NONE)
        found = client.describe_producers(topic, 0)
        battery.row("... and that it is over", found, {one.identity.pid: (0, 3, -1)})
        battery.row("after the commit", committed_and_not(client, topic), (4, 4, 5))
        battery.row("commit again", one.end(True), NONE)
        one.add(0), one.send(4, 3)
        battery.row("abort", one.end(False), NONE)
        battery.row("after the abort", committed_and_not(client, topic), (4, 7, 9))
        aborted = client.fetch(topic, 0, committed=True).aborted
        battery.row("the list of aborted ones", aborted, [(one.identity.pid, 5)])
        battery.row("the markers", shape(client, topic), "0:T4 4:C1 5:T3 8:C1")
        battery.row("commit with nothing open", one.end(True), TXN_STATE)
        records = batch(pid=one.identity.pid, epoch=0, sequence=7, transactional=True)
        found = client.produce(topic, 0, records)
        battery.row("a transaction's batch without its id", found.error, UNAUTHORIZED)
        foreign = wire.Identity(NONE, 424_242, 0)
        found = client.add_partitions("tx", foreign, topic, [0])[0]
        battery.row("a foreign producer id", found, BAD_MAPPING)
        found = client.end_transaction("nobody", foreign, True)
        battery.row("a transactional id that is not known", found, BAD_MAPPING)


def fencing(battery):
    topic = battery.topic()
    with battery.client() as client:
        zombie = Transactional(battery, client, topic, "fenced")
        zombie.begin(), zombie.add(0), zombie.send(0, 2)
        one = Transactional(battery, client, topic, "fenced")
        battery.row("another with the name: wait for the abort", one.begin(), CONCURRENT)
        battery.row("... then it has the name", one.begin(), NONE)
        same = one.identity.pid == zombie.identity.pid
        battery.row("... and a higher epoch", (same, one.identity.epoch), (True, 2))
        battery.row("the open one was aborted", committed_and_not(client, topic), (0, 2, 3))
        battery.row("the old epoch: add", zombie.add(0), [FENCED])
        battery.row("the old epoch: add, version 1", zombie.add(0, version=1), [OLD_EPOCH])
        battery.row("the old epoch: produce", zombie.send(2), (OLD_EPOCH, -1))
        battery.row("the old epoch: end", zombie.end(True), FENCED)
        battery.row("the old epoch: end, version 1", zombie.end(True, version=1), OLD_EPOCH)
        found = (one.add(0), one.send(0), one.end(True))
        battery.row("the new epoch goes on", found, ([NONE], (NONE, 3), NONE))
        before = one.identity
        battery.row(
            "an identity that is brought along",
            (one.begin(pid=before.pid, epoch=before.epoch), one.identity.epoch),
            (NONE, before.epoch + 1),
        )
        again = one.begin(pid=before.pid, epoch=before.epoch)
        battery.row("... again", (again, one.identity.epoch), (NONE, before.epoch + 1))
        bad = [one.begin(timeout=each) for each in (0, 900_001)]
        battery.row("a timeout that is none", bad, [50, 50])


def second_version(battery):
    topic = battery.topic()
    with battery.client() as client:
        one = Transactional(battery, client, topic, "tv2", version=12)
        one.begin()
        battery.row("Produce 12 adds the partition", one.send(0, 2), (NONE, 0))
        late = Transactional(battery, client, topic, "tv2", version=12)
        late.identity = one.identity
        battery.row("EndTxn 5 raises the epoch", (one.end(True, 5), one.identity.epoch), (NONE, 1))
        battery.row("the batch that is late", late.send(2), (OLD_EPOCH, -1))
        battery.row("the next transaction from 0 on", one.send(0), (NONE, 3))
        late.identity = one.identity
        battery.row("abort", one.end(False, 5), NONE)
        found = (late.end(False, 5), late.identity.epoch)
        battery.row("abort again", found, (NONE, one.identity.epoch))
        battery.row("commit with nothing open", one.end(True, 5), TXN_STATE)
        battery.row("abort with nothing open", one.end(False, 5), NONE)
        battery.row("the markers", shape(client, topic), "0:T2 2:C1 3:T1 4:C1")


def timeouts(battery):
    topic = battery.topic()
    with battery.client() as client:
        one = Transactional(battery, client, topic, "slow")
        one.begin(timeout=500), one.add(0), one.send(0)
        gone = kit.wait_until(lambda: client.fetch(topic, 0).stable_end == 2, 15, 0.25)
        battery.row("a transaction that takes too long is aborted", gone, True)
        battery.row("... and its producer fenced", one.end(True), FENCED)
        battery.row("... for good", one.send(1), (OLD_EPOCH, -1))


# MARK: Settings of topics


def settings(battery):
    own = {"retention.ms": "1000", "max.message.bytes": "200", "cleanup.policy": "compact"}
    topic = battery.topic(**own)
    with battery.client() as client:
        error, found = client.describe_topic(topic)
        battery.row("DescribeConfigs", error, NONE)
        battery.row(
            "... tells what was set",
            {name: value for name, (value, source) in found.items() if source == 1},
            own,
        )
        battery.row("... and the defaults", found["compression.type"], ("producer", 5))
        battery.row("... of a topic", client.describe_topic("nowhere")[0], UNKNOWN_TOPIC)
        bad = [{"no.such": "1"}, {"retention.ms": "soon"}, {"compression.type": "rar"}]
        found = [client.create_topic(f"bad-{n}", **each) for n, each in enumerate(bad)]
        battery.row("a setting that is none", found, [40, 40, 40])
        found = client.produce(topic, 0, batch([b"x" * 200]))
        battery.row("the topic's max.message.bytes", found.error, TOO_LARGE)
        found = client.produce(topic, 0, batch([b"a", b"b"], key=None))
        battery.row("a compacted topic needs keys", found.error, INVALID)
        battery.row("... the records are named", [each[0] for each in found.record_errors], [0, 1])


def timestamps_and_codecs(battery):
    now = int(time.time() * 1000)
    with battery.client() as client:
        topic = battery.topic(**{"message.timestamp.after.max.ms": "60000"})
        found = client.produce(topic, 0, batch(timestamp=now + 3_600_000))
        battery.row("a timestamp ahead of the limit", found.error, 32)
        battery.row("... is named", [each[0] for each in found.record_errors], [0])
        battery.row("... before it", client.produce(topic, 0, batch(timestamp=now)).error, NONE)
        topic = battery.topic(**{"message.timestamp.type": "LogAppendTime"})
        found = client.produce(topic, 0, batch(timestamp=1_000_000_000_000))
        battery.row("LogAppendTime is told", abs(found.append_time - now) < 60_000, True)
        stored = wire.batches(client.fetch(topic, 0).data)[0]
        battery.row("... and stored", stored.max_timestamp, found.append_time)
        topic = battery.topic(**{"compression.type": "zstd"})
        identity = client.init_producer_id()
        values = [b"the same line again"] * 50
        records = batch(values, pid=identity.pid, epoch=0, sequence=7, codec=1)
        battery.row("gzip for zstd", client.produce(topic, 0, records).error, NONE)
        stored = wire.batches(client.fetch(topic, 0).data)[0]
        found = (stored.attributes, stored.pid, stored.sequence, stored.count)
        battery.row("... is compressed anew", found, (4, identity.pid, 7, 50))


def topics_made_anew(battery):
    topic = battery.topic()
    with battery.client() as client:
        old = client.topic_id(topic)
        found = client.produce(old, 0, batch(), version=13)
        battery.row("Produce 13 by topic id", (found.error, found.base), (NONE, 0))
        battery.row("DeleteTopics", client.delete_topic(topic), NONE)
        battery.row("... again", client.delete_topic(topic), UNKNOWN_TOPIC)
        client.create_topic(topic)
        found = client.produce(old, 0, batch(), version=13)
        battery.row("the old id of a topic that was made anew", found.error, 100)
        found = client.produce(client.topic_id(topic), 0, batch(), version=13)
        battery.row("... and the new one", (found.error, found.base), (NONE, 0))


# MARK: What is no request


def malformed(battery):
    header = struct.pack(">hhih", 0, 3, 7, -1)

    def frame(body):
        return struct.pack(">i", len(body)) + body

    shots = [
        ("a negative length", struct.pack(">i", -5)),
        ("a length of 2 GiB", struct.pack(">i", 2**31 - 1)),
        ("no header", frame(b"")),
        ("half a header", frame(b"abc")),
        ("HTTP", b"GET / HTTP/1.0\r\n\r\n"),
        ("an unknown request", frame(struct.pack(">hhih", 999, 0, 7, -1))),
        ("Produce 99", frame(struct.pack(">hhih", 0, 99, 7, -1))),
        ("Produce 2", frame(struct.pack(">hhih", 0, 2, 7, -1) + struct.pack(">hii", -1, 0, 0))),
        ("Produce without a body", frame(header)),
        ("2^31-1 topics", frame(header + struct.pack(">hhii", -1, -1, 1000, 2**31 - 1))),
        ("4 KiB of ones", frame(b"\xff" * 4096)),
    ]
    for name, data in shots:
        with battery.client() as client:
            client.socket.sendall(data)
            battery.row(f"{name} closes the connection", client.is_silent(2), None)
    with battery.client() as client:
        battery.row("and the broker lives", client.api_versions()[0], NONE)


PARTS = [
    versions_and_topics,
    acks,
    batches,
    sequences,
    transactions,
    fencing,
    second_version,
    timeouts,
    settings,
    timestamps_and_codecs,
    topics_made_anew,
    malformed,
]


def main():
    checks = kit.Checks()
    with kit.broker("forktail", partitions=1) as bootstrap:
        battery = Battery(checks, bootstrap)
        for part in PARTS:
            with checks.group(part.__name__.replace("_", " ")):
                part(battery)
    battery.finish()


if __name__ == "__main__":
    main()
