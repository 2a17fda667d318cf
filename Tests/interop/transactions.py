#!/usr/bin/env python3
"""Transactions of the Kafka library, counted by consumers of others that read committed records.

    Tests/interop/transactions.py [--seed N]

Against the embedded broker (transaction.version 2, three nodes) and noida-db (version 1), and through
a proxy that loses answers.
"""

import pathlib
import random
import select
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit
import swift_program
from fault_proxy import PRODUCE, FaultProxy

EXAMPLE = (
    kit.ROOT / "examples" / "producer" / "Sources" / "transactions" / "TransactionProgram.swift"
)
PAGE = kit.ROOT / "Sources" / "Kafka" / "Kafka.docc" / "Transactions.md"
DRIVER = kit.ROOT / "Tests" / "interop" / "programs" / "TransactionDriver.swift"

METADATA = 3
FIND_COORDINATOR = 10
INIT_PRODUCER_ID = 22
ADD_PARTITIONS_TO_TXN = 24
ADD_OFFSETS_TO_TXN = 25
END_TXN = 26
TXN_OFFSET_COMMIT = 28


class Producer:
    """A running driver: what it is told, and what it answers."""

    def __init__(self, program, bootstrap, name="tx", **properties):
        settings = {"linger.ms": 1, "batch.size": 4096, "request.timeout.ms": 2000, **properties}
        arguments = [f"{key}={value}" for key, value in settings.items()]
        self.process = subprocess.Popen(
            [program, bootstrap, name, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def begin_to(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 40)
        return self.process.stdout.readline().strip() if ready else "no answer"

    def ask(self, command):
        self.begin_to(command)
        return self.answer()

    def do(self, *commands):
        for command in commands:
            answer = self.ask(command)
            if not answer.startswith("OK"):
                raise kit.Failure(f"{command}: {answer!r}")

    def transaction(self, topic, first, count, partitions=2, end="commit"):
        """One transaction, its records over the partitions in turn."""
        self.do("begin")
        share = count // partitions
        for partition in range(partitions):
            self.do(f"send {topic} {partition} {first + partition * share} {share}")
        # What an abort finds unsent never gets into the log.
        self.do("flush", end)


def numbers(bootstrap, topic, isolation="read_committed"):
    """What a consumer sees of each partition."""
    found = {}
    for each in kit.read(bootstrap, [topic], **{"isolation.level": isolation}):
        found.setdefault(each.partition(), []).append(int(each.value()))
    return found


def expected(rounds, count=60, partitions=2):
    share = count // partitions
    return {
        partition: [
            number
            for each in rounds
            for number in range(each * count + partition * share, each * count + (partition + 1) * share)
        ]
        for partition in range(partitions)
    }


def commits_and_aborts(checks, program, kind, bootstrap):
    kit.create_topics(bootstrap, {"ended": 2})
    with Producer(program, bootstrap) as producer:
        producer.do("init")
        for each in range(30):
            end = "abort" if each % 3 == 2 else "commit"
            producer.transaction("ended", each * 60, 60, end=end)
    wanted = expected([each for each in range(30) if each % 3 != 2])
    checks.that(
        f"{kind}: a consumer that reads committed records sees 20 of 30 transactions",
        numbers(bootstrap, "ended") == wanted,
    )
    everything = numbers(bootstrap, "ended", "read_uncommitted")
    checks.equal(
        f"{kind}: ... and one that reads all sees the aborted ones too",
        sum(map(len, everything.values())),
        1800,
    )


def fencing(checks, program, kind, bootstrap):
    kit.create_topics(bootstrap, {"fenced": 2})
    with Producer(program, bootstrap, "fenced") as zombie:
        zombie.do("init")
        zombie.transaction("fenced", 0, 60)
        zombie.do("begin", "send fenced 0 1000 10", "flush")
        with Producer(program, bootstrap, "fenced") as producer:
            producer.do("init")
            producer.transaction("fenced", 60, 60)
        answer = zombie.ask("commit")
        if "has to be aborted" in answer:
            answer = zombie.ask("abort")
        checks.that(
            f"{kind}: the producer whose name was taken over is fenced and says so",
            "another producer took over" in answer,
            answer,
        )
    checks.that(
        f"{kind}: ... and what it left open is not seen",
        numbers(bootstrap, "fenced") == expected([0, 1]),
    )


def lost_answers(checks, program, kind, bootstrap):
    kit.create_topics(bootstrap, {"lost": 2})
    with FaultProxy(bootstrap) as proxy, Producer(program, proxy.bootstrap, "lost") as producer:
        proxy.lose_answers(INIT_PRODUCER_ID, 1)
        producer.do("init")
        for each in range(20):
            if each % 4 == 1:
                proxy.lose_answers(END_TXN, 2)
            if each % 4 == 2:
                proxy.lose_answers(PRODUCE, 1)
            if each % 4 == 3:
                proxy.lose_answers(ADD_PARTITIONS_TO_TXN, 1)
            end = "abort" if each % 5 == 4 else "commit"
            producer.transaction("lost", each * 60, 60, end=end)
        lost = dict(proxy.lost)
    checks.that(
        f"{kind}: with answers lost each transaction is there once or not at all",
        numbers(bootstrap, "lost") == expected([each for each in range(20) if each % 5 != 4]),
    )
    checks.that(f"{kind}: ... and answers were lost", lost.get(END_TXN, 0) >= 8, lost)


def cuts(checks, program, kind, bootstrap):
    kit.create_topics(bootstrap, {"cut": 2})
    with FaultProxy(bootstrap) as proxy, Producer(program, proxy.bootstrap, "cut") as producer:
        producer.do("init")
        for each in range(12):
            producer.do("begin", f"send cut 0 {each * 60} 30", f"send cut 1 {each * 60 + 30} 30")
            if each % 2:
                proxy.cut()
            producer.begin_to("commit")
            if each % 3 == 0:
                proxy.cut()
            answer = producer.answer()
            if answer != "OK":
                raise kit.Failure(f"transaction {each}: {answer!r}")
    checks.that(
        f"{kind}: with connections cut in commits each transaction is there once",
        numbers(bootstrap, "cut") == expected(range(12)),
    )


def a_commit_that_takes_too_long(checks, program, kind, bootstrap):
    kit.create_topics(bootstrap, {"slow": 2})
    with FaultProxy(bootstrap) as proxy, Producer(program, proxy.bootstrap, "slow") as producer:
        producer.do("init", "begin", "send slow 0 0 30", "send slow 1 30 30", "flush")
        proxy.hold()
        first = producer.ask("commit 100")
        abort = producer.ask("abort")
        proxy.release()
        again = producer.ask("commit")
        checks.that(
            f"{kind}: a commit that was given up is no success, cannot be taken back, and succeeds",
            "call again" in first and "cannot be taken back" in abort and again == "OK",
            (first, abort, again),
        )
        producer.transaction("slow", 60, 60)
    checks.that(
        f"{kind}: ... and its records are there once", numbers(bootstrap, "slow") == expected([0, 1])
    )


def random_faults(checks, program, kind, bootstrap):
    """Whatever happens: each call comes to an end, and is not called a success where it is none."""
    seed = int(sys.argv[2]) if sys.argv[1:2] == ["--seed"] else random.randrange(1 << 32)
    replay = f"Tests/interop/transactions.py --seed {seed}"
    chance = random.Random(seed)
    committed = []
    kit.create_topics(bootstrap, {"random": 2})
    with FaultProxy(bootstrap) as proxy:
        with Producer(program, proxy.bootstrap, "random", **{"request.timeout.ms": 700}) as producer:
            producer.do("init")
            try:
                for each in range(25):
                    if random_transaction(chance, proxy, producer, each) == "commit":
                        committed.append(each)
            except kit.Failure as failure:
                raise kit.Failure(f"{failure}: {replay}")
    checks.that(
        f"{kind}: with faults by chance each transaction is there once or not at all",
        numbers(bootstrap, "random") == expected(committed),
        replay,
    )


def random_transaction(chance, proxy, producer, each):
    """One transaction in which something goes wrong; how it ended."""
    first = each * 60
    producer.do("begin", f"send random 0 {first} 30", f"send random 1 {first + 30} 30")
    fault = chance.choice(["none", "lose", "lose", "cut", "cut later", "hold", "refuse"])
    if fault == "lose":
        apis = [PRODUCE, METADATA, FIND_COORDINATOR, INIT_PRODUCER_ID, ADD_PARTITIONS_TO_TXN, END_TXN]
        for api in chance.sample(apis, 2):
            proxy.lose_answers(api, chance.randint(1, 2))
    if fault == "cut":
        proxy.cut()
    if chance.random() < 0.3:
        producer.do("flush")
    end = chance.choice(["commit", "commit", "abort"])
    if fault == "hold":
        proxy.hold()
    is_hasty = end == "commit" and chance.random() < 0.3
    producer.begin_to(f"commit {chance.choice([1, 20])}" if is_hasty else end)
    if fault == "cut later":
        proxy.cut()
    if fault == "refuse":
        proxy.refuse(0.2)
    answer = producer.answer() if is_hasty else None
    proxy.release()
    if answer is None:
        answer = producer.answer()
    elif "call again" in answer:
        answer = producer.ask("commit")
    if answer != "OK":
        raise kit.Failure(f"transaction {each}, {fault}: {end} came to {answer!r}")
    return end


def offsets_in_transactions(checks, program):
    """noida-db: the embedded broker takes no offsets in transactions."""
    from confluent_kafka import Consumer, TopicPartition

    with kit.broker("noida") as bootstrap:
        kit.create_topics(bootstrap, {"read": 1, "written": 1})
        with FaultProxy(bootstrap) as proxy, Producer(program, proxy.bootstrap) as producer:
            producer.do("init", "begin", "send written 0 0 5", "offset group read 0 5", "commit")
            producer.do("begin", "send written 0 5 5", "offset group read 0 10", "flush", "abort")
            proxy.lose_answers(TXN_OFFSET_COMMIT, 2)
            proxy.lose_answers(ADD_OFFSETS_TO_TXN, 1)
            producer.do("begin", "send written 0 10 5", "offset group read 0 8", "commit")
            lost = dict(proxy.lost)
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "group"})
        found = consumer.committed([TopicPartition("read", 0)], 20)[0].offset
        consumer.close()
        checks.equal("noida: offsets are stored with the commit, not with the abort", found, 8)
        checks.equal(
            "noida: ... and records as well",
            numbers(bootstrap, "written"),
            {0: [*range(5), *range(10, 15)]},
        )
        checks.that(
            "noida: ... and answers about offsets were lost",
            lost.get(TXN_OFFSET_COMMIT, 0) == 2 and lost.get(ADD_OFFSETS_TO_TXN, 0) == 1,
            lost,
        )


def nodes_go_and_come(checks, program, broker):
    bootstrap = broker.bootstrap
    # The topic is made when it is first mentioned, with a replica on each node.
    with Producer(program, bootstrap, "moved") as producer:
        producer.do("init")
        for each in range(6):
            node = each % 3 + 1
            producer.do("begin", f"send moved 0 {each * 60} 30", f"send moved 1 {each * 60 + 30} 30")
            kit.tell_broker(broker, f"down {node}")
            producer.do("commit")
            kit.tell_broker(broker, f"up {node}")
    checks.that(
        "three nodes: transactions go on while coordinators and leaders go and come",
        numbers(bootstrap, "moved") == expected(range(6)),
    )


def a_broker_that_is_killed(checks, program):
    """The embedded broker keeps its cluster on disk; a commit is on its way when it dies."""
    with kit.temporary_folder("transactions-broker") as data:
        port = kit.free_port()
        broker = kit.start_broker("forktail", port=port, data=data)
        try:
            kit.create_topics(broker.bootstrap, {"killed": 2})
            with Producer(program, broker.bootstrap, "killed") as producer:
                producer.do("init")
                for each in range(4):
                    producer.do(
                        "begin", f"send killed 0 {each * 60} 30", f"send killed 1 {each * 60 + 30} 30"
                    )
                    producer.do("flush")
                    producer.begin_to("commit")
                    broker.kill()
                    kit.stop_broker(broker)
                    broker = kit.start_broker("forktail", port=port, data=data)
                    answer = producer.answer()
                    if answer != "OK":
                        raise kit.Failure(f"transaction {each}: {answer!r}")
            checks.that(
                "a broker that is killed in commits has each transaction once",
                numbers(broker.bootstrap, "killed") == expected(range(4)),
            )
        finally:
            kit.stop_broker(broker)


def example(checks, folder):
    checks.that("the page shows the program that is run", EXAMPLE.read_text() in PAGE.read_text())
    program = swift_program.build(EXAMPLE, folder)
    with kit.broker("forktail", partitions=1) as bootstrap:
        result = subprocess.run([program, bootstrap], capture_output=True, text=True, timeout=60)
        found = {
            topic: [each.value() for each in kit.read(bootstrap, [topic])]
            for topic in ["orders", "stock"]
        }
    checks.that(
        "it commits two orders of three",
        result.returncode == 0 and result.stdout.count("committed") == 2,
        f"{result.returncode} {result.stdout} {result.stderr}",
    )
    checks.equal(
        "... in both topics", found, {"orders": [b"1", b"3"], "stock": [b"-1", b"-3"]}
    )


def main():
    checks = kit.Checks()
    with kit.temporary_folder("transactions") as folder:
        with checks.group("the example"):
            example(checks, folder)
        program = swift_program.build(DRIVER, folder)
        parts = [
            *(commits_and_aborts, fencing, lost_answers, cuts, a_commit_that_takes_too_long),
            random_faults,
        ]
        for kind in ["forktail", "noida"]:
            with kit.broker(kind, partitions=2) as bootstrap:
                for part in parts:
                    with checks.group(f"{kind}: {part.__name__.replace('_', ' ')}"):
                        part(checks, program, kind, bootstrap)
        broker = kit.start_broker("forktail", partitions=2, options=["--brokers", "3"])
        try:
            with checks.group("nodes go and come"):
                nodes_go_and_come(checks, program, broker)
        finally:
            kit.stop_broker(broker)
        with checks.group("offsets in transactions"):
            offsets_in_transactions(checks, program)
        with checks.group("a broker that is killed"):
            a_broker_that_is_killed(checks, program)
    checks.finish()


if __name__ == "__main__":
    main()
