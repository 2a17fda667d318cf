#!/usr/bin/env python3
"""Three nodes of the embedded broker, and stock transactions, as with Apache Kafka.

    Tests/interop/cluster.py
"""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit
from rows import NONE, Battery
from wire import Client, batch

# MARK: Several nodes


def leaders(battery, broker):
    with battery.client() as client:
        client.create_topic("led", 3)
        nodes, topics = client.metadata(["led"])
        partitions = topics["led"][1]
        battery.row("each node leads", sorted(each[1] for each in partitions.values()), [1, 2, 3])
        leader = partitions[0][1]
        errors = {}
        for node, address in nodes.items():
            with Client(address) as each:
                found = each.produce("led", 0, batch(), version=10)
                errors[node] = (found.error, found.leader)
        battery.row(
            "who does not lead says who does",
            errors,
            {node: (NONE, None) if node == leader else (6, (leader, 0)) for node in nodes},
        )
        other = next(node for node in nodes if node != leader)
        kit.tell_broker(broker, f"leader led 0 {other}")
        found = client.metadata(["led"])[1]["led"][1][0]
        battery.row("the leader moves", found, (NONE, other))
    with Client(nodes[leader]) as client:
        found = client.produce("led", 0, batch(), version=10)
        battery.row("... and says so", found.leader, (other, 1))
    with Client(nodes[other]) as client:
        battery.row("... with the log", client.produce("led", 0, batch()).base, 1)


def nodes_go_and_come(battery, broker):
    with battery.client() as client:
        nodes = client.metadata()[0]
    kit.tell_broker(broker, "down 2")
    try:
        Client(nodes[2], 1)
        found = "it answers"
    except OSError:
        found = "refused"
    battery.row("a node that is down takes no connection", found, "refused")
    with battery.client() as client:
        left, topics = client.metadata(["led"])
        battery.row("... is not told of", sorted(left), [1, 3])
        leaders = {each[1] for each in topics["led"][1].values()}
        battery.row("... and leads nothing", 2 in leaders, False)
        kit.tell_broker(broker, "up 2")
        with Client(nodes[2]) as back:
            battery.row("it comes back on its port", sorted(back.metadata()[0]), [1, 2, 3])


def a_producer_follows_its_leader(battery, broker):
    from confluent_kafka import Producer

    with battery.client() as client:
        client.create_topic("followed", 3)
    options = {"enable.idempotence": True, "linger.ms": 1, "log_level": 2}
    producer = Producer({"bootstrap.servers": broker.bootstrap, **options})
    for number in range(600):
        producer.produce("followed", str(number).encode(), partition=number % 3)
        producer.poll(0.001)
        if number % 100 == 50:
            kit.tell_broker(broker, f"leader followed {number // 100 % 3} {number // 100 % 2 + 1}")
        if number == 300:
            kit.tell_broker(broker, "down 3")
        if number == 500:
            kit.tell_broker(broker, "up 3")
    battery.row("confluent-kafka: all is acknowledged", producer.flush(30), 0)
    found = {}
    for each in kit.read(broker.bootstrap, ["followed"]):
        found.setdefault(each.partition(), []).append(int(each.value()))
    wanted = {partition: list(range(partition, 600, 3)) for partition in range(3)}
    battery.row("... each record once and in order", found == wanted, True)


# MARK: A stock client


def transactional_producer(bootstrap, **options):
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 2, **options})
    producer.init_transactions(20)
    return producer


def records_of_stock_transactions(battery, bootstrap):
    from confluent_kafka import KafkaException

    name = {"transactional.id": "stock"}
    zombie = transactional_producer(bootstrap, **name)
    for value, commit in [("committed", True), ("aborted", False), ("too", True)]:
        zombie.begin_transaction()
        for number in range(30):
            zombie.produce("stock", f"{value} {number}".encode(), partition=0)
        # An abort forgets what was not sent yet.
        zombie.flush(20)
        zombie.commit_transaction(20) if commit else zombie.abort_transaction(20)
    zombie.begin_transaction()
    zombie.produce("stock", b"open", partition=0)
    zombie.flush(20)
    producer = transactional_producer(bootstrap, **name)
    producer.begin_transaction()
    producer.produce("stock", b"last", partition=0)
    producer.commit_transaction(20)
    try:
        zombie.commit_transaction(20)
        fenced = "it committed"
    except KafkaException as error:
        fenced = error.args[0].fatal()
    battery.row("confluent-kafka: the zombie is fenced", fenced, True)


def stock_client(battery, bootstrap):
    kit.create_topics(bootstrap, {"stock": 1})
    records_of_stock_transactions(battery, bootstrap)
    wanted = [f"{kind} {number}" for kind in ("committed", "too") for number in range(30)]
    committed = [each.value().decode() for each in kit.read(bootstrap, ["stock"])]
    battery.row("confluent-kafka: read_committed", committed == [*wanted, "last"], True)
    everything = list(
        kit.read(bootstrap, ["stock"], **{"isolation.level": "read_uncommitted"})
    )
    battery.row("confluent-kafka: read_uncommitted", len(everything), 92)


def main():
    checks = kit.Checks()
    broker = kit.start_broker("forktail", partitions=1, options=["--brokers", "3"])
    try:
        battery = Battery(checks, broker.bootstrap.split(",")[0])
        for part in [leaders, nodes_go_and_come, a_producer_follows_its_leader]:
            with checks.group(part.__name__.replace("_", " ")):
                part(battery, broker)
        with checks.group("confluent-kafka's transactions"):
            stock_client(battery, broker.bootstrap)
    finally:
        kit.stop_broker(broker)
    battery.finish()


if __name__ == "__main__":
    main()
