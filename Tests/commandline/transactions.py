#!/usr/bin/env python3
"""`--delivery transactional`: what consumers that read committed see, and who may send.

    Tests/commandline/transactions.py [NAME]
"""

import pathlib
import random
import shutil
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit
from fault_proxy import FaultProxy

END_TXN = 26

PIPELINE = """
from "logs/*.log"

parse text

send {
  topic = "lines"
  key   = @raw
  value = @raw
}

on error dead_letter "dead"
"""


class Setup:
    """A folder with a pipeline, its logs and its state."""

    def __init__(self, folder, bootstrap):
        self.folder, self.bootstrap = folder, bootstrap
        (folder / "logs").mkdir(parents=True)
        (folder / "lines.pipeline").write_text(PIPELINE)

    def append(self, numbers, name="a.log"):
        with open(self.folder / "logs" / name, "a") as file:
            file.write("".join(f"{number}\n" for number in numbers))

    def arguments(self, *extra, state="state"):
        return [
            self.folder / "lines.pipeline", "-b", self.bootstrap,
            "--state-dir", self.folder / state, "--delivery", "transactional", *extra,
        ]

    def service(self, *extra, state="state"):
        return kit.Service(
            self.folder / f"{state}.log",
            *self.arguments("--start", "beginning", *extra, state=state),
        )

    def values(self, isolation="read_committed", topic="lines"):
        options = {"isolation.level": isolation}
        return [m.value().decode() for m in kit.read(self.bootstrap, [topic], **options)]

    def wait_for(self, count, timeout=20):
        return kit.wait_until(lambda: len(self.values()) >= count, timeout, every=0.1)

    def sorted_values(self):
        return sorted(map(int, self.values()))


def what_is_read_is_committed(checks, folder):
    for broker in ("forktail", "noida"):
        with kit.broker(broker) as bootstrap:
            setup = Setup(folder / broker, bootstrap)
            setup.append(range(20_000))
            with setup.service() as service:
                setup.wait_for(20_000)
                setup.append(range(20_000, 20_100))
                checks.that(
                    f"{broker}: what comes later is committed within a second or so",
                    setup.wait_for(20_100, 10),
                    service.log[-800:],
                )
                checks.equal(f"{broker}: SIGTERM ends it with 0", service.terminate(), 0)
            checks.equal(
                f"{broker}: each record is there once", setup.sorted_values(), list(range(20_100))
            )
            with setup.service("--once") as service:
                checks.equal(f"{broker}: run --once ends with 0", service.wait(30), 0)
            checks.equal(f"{broker}: and sends nothing again", len(setup.values()), 20_100)


def a_drain_commits_what_was_read(checks, folder):
    with kit.broker("forktail") as bootstrap:
        setup = Setup(folder, bootstrap)
        setup.append(range(5000))
        # The interval alone would not come to an end.
        with setup.service("--transaction-interval", "50s", "-X", "linger.ms=5000") as service:
            kit.wait_until(lambda: len(setup.values("read_uncommitted")) > 0, 20)
            checks.equal("nothing is committed before its time", setup.values(), [])
            checks.equal("a drain ends with 0", service.terminate(), 0)
        checks.equal("a drain commits what was read", setup.sorted_values(), list(range(5000)))


def a_backfill_ends_with_its_last_commit(checks, folder):
    with kit.broker("forktail") as bootstrap:
        setup = Setup(folder, bootstrap)
        setup.append(range(30_000))
        setup.append(range(30_000, 40_000), "b.log")
        result = kit.forktail(
            "backfill", *setup.arguments("--job", "j", "--yes", "--progress", "none")
        )
        checks.equal("backfill ends with 0", result.returncode, 0)
        checks.equal("all is committed", setup.sorted_values(), list(range(40_000)))
        again = kit.forktail(
            "backfill", *setup.arguments("--job", "j", "--yes", "--progress", "none")
        )
        checks.equal("the job is done", (again.returncode, len(setup.values())), (0, 40_000))


def a_copy_fences_the_original(checks, folder):
    with kit.broker("forktail") as bootstrap:
        setup = Setup(folder, bootstrap)
        setup.append(range(100))
        with setup.service() as older:
            setup.wait_for(100)
            # Its checkpoints are written right behind the commit.
            time.sleep(1)
            shutil.copytree(setup.folder / "state", setup.folder / "copy")
            with setup.service(state="copy") as newer:
                kit.wait_until(lambda: "file is" in newer.log or "broker connected" in newer.log, 10)
                time.sleep(1)
                setup.append(range(100, 200))
                checks.equal("the older one ends with 77", older.wait(30), 77)
                checks.that(
                    "and says who took its name",
                    "transaction.fenced" in older.log and "never run both" in older.log,
                    older.log[-800:],
                )
                setup.wait_for(200)
                checks.equal("the newer one goes on", newer.terminate(), 0)
        checks.equal("each record is there once", setup.sorted_values(), list(range(200)))


def a_transaction_that_took_too_long_is_sent_again(checks, folder):
    with kit.broker("forktail") as bootstrap, FaultProxy(bootstrap) as proxy:
        setup = Setup(folder, proxy.bootstrap)
        setup.append(range(100))
        with setup.service("-X", "transaction.timeout.ms=3000") as service:
            setup.bootstrap = bootstrap
            setup.wait_for(100)
            setup.append(range(100, 3000))
            time.sleep(0.3)
            proxy.hold()
            setup.append(range(3000, 6000))
            # Kafka looks every ten seconds.
            time.sleep(15)
            proxy.release()
            checks.that(
                "it goes on by itself", setup.wait_for(6000, 60), service.log[-1500:]
            )
            checks.equal("and ends with 0", service.terminate(), 0)
        checks.equal("each record is there once", setup.sorted_values(), list(range(6000)))


def a_record_that_kafka_refuses(checks, folder):
    with kit.broker("forktail", partitions=1) as bootstrap:
        from confluent_kafka.admin import AdminClient, NewTopic

        setup = Setup(folder, bootstrap)
        admin = AdminClient({"bootstrap.servers": bootstrap})
        config = {"max.message.bytes": "2000"}
        topic = NewTopic("lines", num_partitions=1, replication_factor=1, config=config)
        admin.create_topics([topic])["lines"].result(20)
        letters = "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=6000))
        setup.append([1, 2, letters, 3])
        with setup.service("--once", "-X", "compression.type=none") as service:
            checks.equal("it goes on behind it", service.wait(40), 0)
        checks.equal("the others are there once", sorted(setup.values()), ["1", "2", "3"])
        checks.equal("and its dead letter", setup.values(topic="dead"), [letters])


def another_mode_while_a_commit_is_pending(checks, folder):
    with kit.broker("forktail") as bootstrap, FaultProxy(bootstrap) as proxy:
        setup = Setup(folder, proxy.bootstrap)
        setup.append(range(100))
        with setup.service() as service:
            proxy.hang(END_TXN)
            kit.wait_until(lambda: proxy.lost[END_TXN] > 0, 20, every=0.05)
            service.kill()
        setup.bootstrap = bootstrap
        run = setup.arguments("--once", "--start", "beginning")
        for mode in ("exactly_once", "at_least_once"):
            run[run.index("--delivery") + 1] = mode
            result = kit.forktail("run", *run)
            checks.that(
                f"{mode}: it does not start before it is known whether that was committed",
                result.returncode == 78 and "start once with --delivery transactional" in result.stderr,
                f"{result.returncode} {result.stderr}",
            )
        with setup.service("--once") as service:
            checks.equal("a start in the same mode finds it out", service.wait(40), 0)
        run[run.index("--delivery") + 1] = "exactly_once"
        checks.equal("then another mode may go on", kit.forktail("run", *run).returncode, 0)
        checks.equal("each record is there once", setup.sorted_values(), list(range(100)))


def what_cannot_be(checks, folder):
    setup = Setup(folder, "127.0.0.1:1")
    setup.append(range(10))
    run = ["run", setup.folder / "lines.pipeline", "-b", "127.0.0.1:1", "--state-dir", folder / "s"]
    result = kit.forktail(*run, "-X", "transactional.id=me", "--delivery", "at_least_once")
    checks.that(
        "a transactional.id needs its mode",
        result.returncode == 78 and "--delivery transactional" in result.stderr,
        result.stderr,
    )
    transactional = [*run, "--delivery", "transactional"]
    result = kit.forktail(*transactional, "-X", "acks=1")
    checks.that(
        "acks=1 is refused", result.returncode == 78 and "acks=1" in result.stderr, result.stderr
    )
    result = kit.forktail(*transactional, "--transaction-interval", "60s")
    checks.that(
        "an interval as long as the timeout is refused",
        result.returncode == 78 and "transaction.timeout.ms" in result.stderr,
        result.stderr,
    )
    with kit.Service(folder / "away.log", *transactional[1:]) as service:
        kit.wait_until(lambda: "Kafka is in trouble" in service.log, 10)
        checks.equal("while Kafka is away a signal ends it", service.terminate(), 0)


def main():
    checks = kit.Checks()
    bodies = [
        what_is_read_is_committed,
        a_drain_commits_what_was_read,
        a_backfill_ends_with_its_last_commit,
        a_copy_fences_the_original,
        a_transaction_that_took_too_long_is_sent_again,
        a_record_that_kafka_refuses,
        another_mode_while_a_commit_is_pending,
        what_cannot_be,
    ]
    only = sys.argv[1:]
    for body in bodies:
        if only and body.__name__ not in only:
            continue
        with kit.temporary_folder("transactions") as folder, checks.group(body.__name__):
            body(checks, folder / "it")
    checks.finish()


if __name__ == "__main__":
    main()
