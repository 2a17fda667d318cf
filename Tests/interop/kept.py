#!/usr/bin/env python3
"""What the embedded broker keeps on disk is there again, however it ended.

    Tests/interop/kept.py
"""

import pathlib
import signal
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit
import wire
from rows import NONE, OUT_OF_ORDER, Battery
from wire import Client, batch


class Kept:
    """A broker on one port and one folder, started again and again."""

    def __init__(self, checks, folder):
        self.folder, self.port = folder, kit.free_port()
        self.battery = Battery(checks, f"127.0.0.1:{self.port}")
        self.process = None
        self.start()

    def start(self):
        self.process = kit.start_broker("forktail", 1, self.port, self.folder)

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(20)
        kit.stop_broker(self.process)

    def restart(self, number):
        self.end(number)
        self.start()


def acknowledged_records(kept):
    row = kept.battery.row
    with kept.battery.client() as client:
        client.create_topic("kept", 1, **{"max.message.bytes": "5000"})
        identity = client.topic_id("kept")
        pid = client.init_producer_id().pid
        for number in range(50):
            records = batch([str(number).encode()], pid=pid, epoch=0, sequence=number)
            assert client.produce("kept", 0, records).base == number
    for number, name, known in [(signal.SIGKILL, "kill -9", 5), (signal.SIGTERM, "SIGTERM", 1)]:
        kept.restart(number)
        with kept.battery.client() as client:
            found = [each.base for each in wire.batches(client.fetch("kept", 0).data)]
            row(f"{name}: all that was acknowledged is there", found, list(range(50)))
            row(f"{name}: the topic is the same", client.topic_id("kept"), identity)
            setting = client.describe_topic("kept")[1]["max.message.bytes"]
            row(f"{name}: and so are its settings", setting, ("5000", 1))

            def again(number):
                records = batch([str(number).encode()], pid=pid, epoch=0, sequence=number)
                answer = client.produce("kept", 0, records)
                return answer.error, answer.base

            oldest = 50 - known
            row(f"{name}: {known} of a producer's batches are known", again(oldest), (NONE, oldest))
            row(f"{name}: no older one is", again(oldest - 1), (OUT_OF_ORDER, -1))
            row(f"{name}: ids are given once", client.init_producer_id().pid > pid, True)


def open_transactions(kept):
    row = kept.battery.row
    with kept.battery.client() as client:
        client.create_topic("open", 1)
        identity = client.init_producer_id("keeper")
        client.add_partitions("keeper", identity, "open", [0])

    def send(client, sequence):
        records = batch(pid=identity.pid, epoch=0, sequence=sequence, transactional=True)
        return client.produce("open", 0, records, name="keeper").error

    for sequence, number in enumerate([signal.SIGKILL, signal.SIGTERM]):
        with kept.battery.client() as client:
            row(f"a transaction is open, batch {sequence}", send(client, sequence), NONE)
        kept.restart(number)
        with kept.battery.client() as client:
            row("... and still is after the restart", client.fetch("open", 0).stable_end, 0)
    with kept.battery.client() as client:
        row("... and is committed", client.end_transaction("keeper", identity, True), NONE)
        row("... for all to see", client.fetch("open", 0).stable_end, 3)
    kept.restart(signal.SIGKILL)
    with kept.battery.client() as client:
        found = client.end_transaction("keeper", identity, True)
        row("the answer can be asked for again", found, NONE)
        row("... and nothing is written twice", client.fetch("open", 0).stable_end, 3)


def a_producer_that_goes_on(kept):
    from confluent_kafka import Producer

    with kept.battery.client() as client:
        client.create_topic("busy", 3)
    options = {"enable.idempotence": True, "linger.ms": 1, "log_level": 2}
    options |= {"reconnect.backoff.max.ms": 200, "retry.backoff.max.ms": 200}
    producer = Producer({"bootstrap.servers": kept.battery.bootstrap, **options})
    killing = threading.Thread(target=lambda: [kill_soon(kept) for _ in range(3)])
    killing.start()
    number = 0
    while killing.is_alive():
        try:
            producer.produce("busy", str(number).encode(), partition=number % 3)
            number += 1
        except BufferError:
            # It has to wait until the broker is back.
            producer.poll(0.1)
        producer.poll(0.0005)
    killing.join()
    kept.battery.row("three kills: all is acknowledged", producer.flush(60), 0)
    found = {}
    for each in kit.read(kept.battery.bootstrap, ["busy"]):
        found.setdefault(each.partition(), []).append(int(each.value()))
    wanted = {partition: list(range(partition, number, 3)) for partition in range(3)}
    kept.battery.row("... each record once and in order", found == wanted, True)


def kill_soon(kept):
    """Kills the broker once it has got more records than at its last start."""
    def count():
        with Client(kept.battery.bootstrap) as client:
            return client.list_offset("busy", 0)[2]

    before = count()
    kit.wait_until(lambda: count() > before + 100)
    kept.restart(signal.SIGKILL)


def a_full_disk(kept):
    """A limit on the size of files stands for the disk."""
    folder = kept.folder.parent / "full"
    limit = ["bash", "-c", 'trap "" XFSZ; ulimit -f 100; exec "$@"', "bash"]
    broker = kit.start_broker("forktail", 1, 0, folder, prefix=limit)
    acknowledged, refused = 0, False
    try:
        with Client(broker.bootstrap) as client:
            client.create_topic("full", 1)
            for _ in range(200):
                if client.produce("full", 0, batch([b"x" * 1000])).error == NONE:
                    acknowledged += 1
    except (wire.Closed, ConnectionError):
        refused = True
    finally:
        code = broker.wait(20)
        kit.stop_broker(broker)
    kept.battery.row("what cannot be kept closes the connection", refused, True)
    kept.battery.row("... and ends the broker", code, 69)
    broker = kit.start_broker("forktail", 1, 0, folder)
    try:
        with Client(broker.bootstrap) as client:
            end = client.fetch("full", 0).end
            kept.battery.row("what was acknowledged is there", end, acknowledged)
            kept.battery.row("... and it goes on", client.produce("full", 0, batch()).error, NONE)
    finally:
        kit.stop_broker(broker)


def one_at_a_time(kept):
    result = kit.forktail("broker", "--port", 0, "--data-dir", kept.folder, timeout=20)
    kept.battery.row("another broker on the folder is refused", result.returncode, 69)
    kept.battery.row("... and says why", "cannot lock" in result.stderr, True)


def main():
    checks = kit.Checks()
    with kit.temporary_folder("kept") as folder:
        kept = Kept(checks, folder / "data")
        try:
            parts = [
                acknowledged_records,
                open_transactions,
                a_producer_that_goes_on,
                one_at_a_time,
                a_full_disk,
            ]
            for part in parts:
                with checks.group(part.__name__.replace("_", " ")):
                    part(kept)
        finally:
            kit.stop_broker(kept.process)
        kept.battery.finish()


if __name__ == "__main__":
    main()
