#!/usr/bin/env python3
"""`forktail run` as a service: signals, restarts, brokers that are away, state that is not right.

    Tests/commandline/service.py
"""

import json
import os
import pathlib
import random
import resource
import shutil
import signal
import sys
import time
from collections import Counter

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit
from fault_proxy import FaultProxy

PIPELINE = """
from "logs/*.log"

parse text

send {
  topic = "lines"
  key   = @file
  value = @raw
}

on error stop
"""


class Setup:
    """A folder with a pipeline, its logs and its state, and the services that run on them."""

    def __init__(self, folder, bootstrap):
        self.folder = folder
        self.bootstrap = bootstrap
        self.logs = folder / "logs"
        self.state = folder / "state"
        self.logs.mkdir(parents=True)
        (folder / "lines.pipeline").write_text(PIPELINE)

    def append(self, name, numbers):
        with open(self.logs / name, "a") as file:
            file.write("".join(f"{name} {number}\n" for number in numbers))

    def service(self, *extra):
        return kit.Service(
            self.folder / "service.log",
            *(self.folder / "lines.pipeline", "--state-dir", self.state, "--start", "beginning"),
            *(() if "-b" in extra else ("-b", self.bootstrap)),
            *extra,
        )

    def values(self):
        return [message.value().decode() for message in kit.read(self.bootstrap, ["lines"])]

    def wait_for(self, count, timeout=20):
        return kit.wait_until(lambda: len(set(self.values())) >= count, timeout, every=0.1)


def wanted(name, numbers):
    return [f"{name} {number}" for number in numbers]


def drains_on_a_signal(checks, folder):
    for number in (signal.SIGTERM, signal.SIGINT):
        label = signal.Signals(number).name
        with kit.broker("forktail", partitions=1) as bootstrap:
            setup = Setup(folder / label, bootstrap)
            setup.append("a.log", range(5000))
            # With a long linger, records wait in their batch when the signal comes.
            with setup.service("-X", "linger.ms=5000") as service:
                kit.wait_until(lambda: "a.log" in service.log, 10)
                time.sleep(0.5)
                service.signal(number)
                checks.equal(f"{label}: what was read is sent, and it ends with 0", service.wait(), 0)
            checks.equal(
                f"{label}: all lines are there once", setup.values(), wanted("a.log", range(5000))
            )
            listing = kit.forktail("checkpoints", "list", "--state-dir", setup.state)
            size = (setup.logs / "a.log").stat().st_size
            checks.that(
                f"{label}: the checkpoint is at the end of the file",
                listing.returncode == 0 and str(size) in listing.stdout and "a.log" in listing.stdout,
                listing.stdout + listing.stderr,
            )
            with setup.service() as service:
                setup.append("a.log", range(5000, 5010))
                setup.wait_for(5010)
                service.terminate()
            checks.equal(
                f"{label}: the next run goes on there", setup.values(), wanted("a.log", range(5010))
            )


def signals_that_end_nothing(checks, folder):
    with kit.broker("forktail") as bootstrap:
        setup = Setup(folder, bootstrap)
        setup.append("a.log", range(10))
        with setup.service() as service:
            setup.wait_for(10)
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
                service.signal(number)
                time.sleep(0.3)
                label = signal.Signals(number).name
                checks.that(f"{label} does not end the service", service.is_running)
            checks.that("SIGUSR1 writes the books", "pipeline.books" in service.log, service.log)
            setup.append("a.log", range(10, 20))
            checks.that("and it ships on", setup.wait_for(20), service.log[-300:])
            checks.equal("SIGTERM ends it with 0", service.terminate(), 0)


def a_drain_that_cannot_end(checks, folder):
    with kit.broker("forktail") as bootstrap, FaultProxy(bootstrap) as proxy:
        setup = Setup(folder, bootstrap)
        addresses = ("-b", proxy.bootstrap)

        def with_records_in_flight(numbers, *extra):
            service = setup.service(*addresses, *extra)
            setup.append("a.log", numbers[:10])
            setup.wait_for(numbers[0] + 10)
            proxy.hold()
            setup.append("a.log", numbers[10:])
            time.sleep(0.5)
            return service

        with with_records_in_flight(range(100)) as service:
            service.signal(signal.SIGINT)
            time.sleep(0.7)
            checks.that("SIGINT: it waits for what is in flight", service.is_running)
            service.signal(signal.SIGINT)
            checks.equal("SIGINT twice: ends at once with 130", service.wait(5), 130)
        proxy.release()
        with with_records_in_flight(range(100, 200), "--drain-timeout", "1s") as service:
            checks.equal("SIGTERM: ends with 75 after --drain-timeout", service.terminate(), 75)
        proxy.release()
        with setup.service() as service:
            setup.wait_for(200)
            service.terminate()
        checks.equal("and nothing is lost", set(setup.values()), set(wanted("a.log", range(200))))


def a_killed_service_loses_nothing(checks, folder):
    with kit.broker("forktail", partitions=1) as bootstrap:
        setup = Setup(folder, bootstrap)
        written = 0
        for _ in range(4):
            with setup.service() as service:
                for _ in range(20):
                    setup.append("a.log", range(written, written + 500))
                    written += 500
                    time.sleep(0.02)
                service.kill()
        with setup.service() as service:
            setup.wait_for(written)
            checks.equal("kill -9: the last run ends with 0", service.terminate(), 0)
        counts = Counter(setup.values())
        missing = set(wanted("a.log", range(written))) - set(counts)
        checks.that(
            f"kill -9 four times: none of {written} lines is lost",
            not missing and len(counts) == written,
            f"{len(missing)} lost",
        )
        first_seen = list(counts)
        checks.that(
            f"and their order is kept ({counts.total() - written} came twice)",
            first_seen == wanted("a.log", range(written)),
        )


def one_state_directory_has_one_owner(checks, folder):
    with kit.broker("forktail") as bootstrap:
        setup = Setup(folder, bootstrap)
        setup.append("a.log", range(10))
        with setup.service() as first:
            setup.wait_for(10)
            with setup.service() as second:
                checks.equal("a second process on one state directory ends with 73", second.wait(10), 73)
                log = second.log
            checks.that(
                "and names the first",
                str(first.process.pid) in log and "--state-dir" in log,
                log[-400:],
            )
            checks.that("the first goes on", first.is_running)
            checks.equal("and ends with 0", first.terminate(), 0)


def a_damaged_database_is_refused(checks, folder):
    with kit.broker("forktail") as bootstrap:
        setup = Setup(folder, bootstrap)
        setup.append("a.log", range(10))
        with setup.service() as service:
            setup.wait_for(10)
            service.terminate()
        database = setup.state / "checkpoints.db"
        whole = database.read_bytes()
        for side in ("-wal", "-shm"):
            pathlib.Path(f"{database}{side}").unlink(missing_ok=True)
        damages = {
            "overwritten header": b"not a database" + whole[14:],
            "overwritten pages": whole[:1024] + bytes(255 - b for b in whole[1024:]),
            "text file": b"hello\n" * 1000,
            "cut in the middle": whole[: len(whole) // 2 // 512 * 512 + 100],
        }
        for label, content in damages.items():
            database.write_bytes(content)
            with setup.service() as service:
                try:
                    code = service.wait(5)
                except Exception:
                    code = "running"
                checks.that(
                    f"a damaged database ({label}) is refused with 73",
                    code == 73 and "checkpoints.db" in service.log,
                    f"{code} {service.log[-300:]}",
                )
            checks.that(
                f"and left as it was ({label})", database.read_bytes() == content, "it was changed"
            )
        database.write_bytes(whole)
        setup.append("a.log", range(10, 20))
        with setup.service() as service:
            setup.wait_for(20)
            service.terminate()
        checks.equal(
            "put back, it goes on where it was", setup.values(), wanted("a.log", range(20))
        )


def a_broker_that_is_away(checks, folder):
    port = kit.free_port()
    setup = Setup(folder, f"127.0.0.1:{port}")
    setup.append("a.log", range(100))
    with setup.service() as service:
        time.sleep(1.5)
        checks.that("run starts without a broker", service.is_running, service.log[-300:])
        checks.that("and says so", str(port) in service.log and "a.log" in service.log, service.log)
        with kit.broker("forktail", port=port):
            checks.that("it ships when the broker comes", setup.wait_for(100))
        # The broker forgets all; the service does not notice more than a lost connection.
        setup.append("a.log", range(100, 200))
        time.sleep(1.0)
        checks.that("it outlives the broker", service.is_running)
        with kit.broker("forktail", port=port):
            setup.wait_for(100)
            found = setup.values()
            checks.equal("and holds its place", found, wanted("a.log", range(100, 200)))
            checks.equal("SIGTERM ends it with 0", service.terminate(), 0)


def require_kafka(checks, folder):
    setup = Setup(folder, f"127.0.0.1:{kit.free_port()}")
    with setup.service("--require-kafka") as service:
        checks.equal("run --require-kafka without a broker ends with 69", service.wait(30), 69)


def rotation_and_new_files(checks, folder):
    with kit.broker("forktail", partitions=1) as bootstrap:
        setup = Setup(folder, bootstrap)
        setup.append("a.log", range(100))
        with setup.service() as service:
            setup.wait_for(100)
            # A line in two parts, a rename with a last line after it, a new file of the old name.
            with open(setup.logs / "a.log", "a") as file:
                file.write("a.log 1")
                file.flush()
                time.sleep(0.3)
                file.write("00\n")
                file.flush()
                os.rename(setup.logs / "a.log", setup.logs / "a.log.1")
                file.write("a.log 101\n")
            setup.append("a.log", range(102, 200))
            setup.append("b.log", range(50))
            checks.that("rotation: all lines arrive", setup.wait_for(250), service.log[-600:])
            checks.equal("rotation: it ends with 0", service.terminate(), 0)
        values = setup.values()
        checks.equal(
            "rotation: each line once",
            sorted(values),
            sorted(wanted("a.log", range(200)) + wanted("b.log", range(50))),
        )


def an_unreadable_file_is_named_and_retried(checks, folder):
    with kit.broker("forktail", partitions=1) as bootstrap:
        setup = Setup(folder, bootstrap)
        setup.append("a.log", range(10))
        setup.append("secret.log", range(10))
        (setup.logs / "secret.log").chmod(0)
        # Root may read everything, unless it gives that up.
        program = folder / "forktail"
        program.write_text(
            "#!/bin/sh\nexec setpriv --bounding-set=-dac_override,-dac_read_search "
            f'"{kit.FORKTAIL}" "$@"\n'
        )
        program.chmod(0o755)
        real, kit.FORKTAIL = kit.FORKTAIL, program if os.geteuid() == 0 else kit.FORKTAIL
        try:
            with setup.service("--once") as service:
                checks.equal("run --once: the unreadable file ends it with 66", service.wait(20), 66)
                checks.that("and is named", "secret.log" in incomplete(service.log)["files"])
            with setup.service() as service:
                checks.that("the other file is shipped", setup.wait_for(10), service.log[-600:])
                checks.that("the unreadable file is named", "secret.log" in service.log)
                (setup.logs / "secret.log").chmod(0o644)
                checks.that(
                    "and read when it can be", setup.wait_for(20, 30), service.log[-600:]
                )
                checks.equal("it ends with 0", service.terminate(), 0)
            with setup.service("--once") as service:
                checks.equal("run --once: when all can be read it ends with 0", service.wait(20), 0)
        finally:
            kit.FORKTAIL = real


def a_glob_that_matches_nothing_is_said(checks, folder):
    with kit.broker("forktail") as bootstrap:
        setup = Setup(folder, bootstrap)
        with setup.service() as service:
            said = lambda: [line for line in service.log.splitlines() if "watch.no_file" in line]
            kit.wait_until(said, 10)
            checks.that(
                "a glob that matches no file is said, with where it looks",
                said() and json.loads(said()[0])["from"] == str(setup.logs / "*.log"),
                service.log,
            )
            setup.append("a.log", range(10))
            checks.that("and a file that comes is read", setup.wait_for(10), service.log[-300:])
            checks.equal("it ends with 0", service.terminate(), 0)
            checks.equal("it was said once", len(said()), 1)
        with setup.service() as service:
            setup.append("a.log", range(10, 20))
            setup.wait_for(20)
            service.terminate()
            checks.equal("where a file matches, nothing is said", len(said()), 1)


def incomplete(log):
    """What a one-shot says last of files that it did not read."""
    lines = [json.loads(line) for line in log.splitlines() if "service.incomplete" in line]
    return lines[-1] if lines else {"files": ""}


def a_removed_state_directory_ends_the_service(checks, folder):
    with kit.broker("forktail") as bootstrap:
        setup = Setup(folder, bootstrap)
        setup.append("a.log", range(10))
        with setup.service() as service:
            setup.wait_for(10)
            shutil.rmtree(setup.state)
            checks.equal("a state directory that is removed ends the service with 73", service.wait(10), 73)
            checks.that("and is named", str(setup.state) in service.log.split("state.removed")[-1])
        with setup.service() as service:
            setup.append("a.log", range(10, 20))
            setup.wait_for(20)
            # As who restores an older copy.
            os.rename(setup.state, folder / "old")
            shutil.copytree(folder / "old", setup.state)
            checks.equal("so does one that is replaced", service.wait(10), 73)


def a_full_state_directory_ends_a_one_shot(checks, folder):
    """A limit on the size of files stands for a full disk: it hits the database alone."""
    with kit.broker("forktail") as bootstrap:
        setup = Setup(folder, bootstrap)
        for number in range(2000):
            setup.append(f"{number}.log", range(1))
        result = run_with_small_files(setup, 200_000)
        checks.that(
            "run --once: files that cannot be registered end it with 73, and are named",
            result.returncode == 73 and "0.log" in incomplete(result.stderr)["files"],
            f"{result.returncode} {result.stderr[-600:]}",
        )
        checks.equal("and are not read", setup.values(), [])
        for path in list(setup.logs.iterdir())[:-1]:
            path.unlink()
        with setup.service("--once") as service:
            checks.equal("when there is room again it ends with 0", service.wait(20), 0)
        checks.equal("and what is there is sent", len(setup.values()), 1)


def run_with_small_files(setup, limit):
    return kit.forktail(
        *("run", setup.folder / "lines.pipeline", "-b", setup.bootstrap, "--once"),
        *("--state-dir", setup.state, "--log-format", "json"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        # The signal of the limit stays ignored, as Python does.
        restore_signals=False,
    )


def runs_once(checks, folder):
    with kit.broker("forktail") as bootstrap:
        setup = Setup(folder, bootstrap)
        setup.append("a.log", range(1000))
        setup.append("b.log", range(1000))
        with setup.service("--once") as service:
            checks.equal("run --once ends by itself with 0", service.wait(30), 0)
        checks.equal("run --once: all is shipped", len(set(setup.values())), 2000)

        rule = PIPELINE.replace("parse text", "parse text { line: string }")
        rule = rule.replace("send {", 'reject "odd" if line == "odd"\n\nsend {')
        (folder / "lines.pipeline").write_text(rule)
        with open(setup.logs / "a.log", "a") as file:
            file.write("odd\n")
        with setup.service("--once") as service:
            checks.equal("run --once ends with 65 when a file stopped", service.wait(30), 65)
            books = [line for line in service.log.splitlines() if "pipeline.books" in line]
        checks.equal("run --once: the books show it", json.loads(books[-1])["failed"], "1")


def lines_that_are_too_long(checks, folder):
    """A dead letter must not be refused for what it is a dead letter of."""
    lengths = [10, 1 << 20, (1 << 20) + 500, 900_000]
    with kit.broker("forktail", partitions=1) as bootstrap:
        setup = Setup(folder, bootstrap)
        rule = PIPELINE.replace("on error stop", 'on error dead_letter "dead"')
        (folder / "lines.pipeline").write_text(rule)
        # Less than what Forktail itself may send, as is often so.
        make_topic(bootstrap, "dead", {"max.message.bytes": "600000"})
        with open(setup.logs / "a.log", "w") as file:
            file.write("".join(random_text(length) + "\n" for length in lengths) + "last\n")
        make_topic(bootstrap, "lines", {"max.message.bytes": "700000"})
        with setup.service("--once", "-X", "compression.type=none") as service:
            checks.equal("long lines: nothing stops", service.wait(30), 0)
            log = service.log
        checks.equal("the others are sent", [len(value) for value in setup.values()], [10, 4])
        dead = {}
        for message in kit.read(bootstrap, ["dead"]):
            dead[int(kit.headers(message)["dlq.offset"])] = message
        # What is over max_line is cut by the framer, and said in the books.
        checks.equal(
            "each dead letter says how long it was",
            [int(kit.headers(dead[place])["dlq.cut"]) for place in sorted(dead)],
            [min(length, 1 << 20) for length in lengths[1:]],
        )
        whole = (setup.logs / "a.log").read_bytes()
        checks.that(
            "and begins as its line",
            all(
                len(message.value()) > 200_000
                and whole[place : place + len(message.value())] == message.value()
                for place, message in dead.items()
            ),
            log[-600:],
        )


def random_text(length):
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyz ", k=length - 1)) + "."


def make_topic(bootstrap, name, config):
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": bootstrap})
    topic = NewTopic(name, num_partitions=1, replication_factor=1, config=config)
    admin.create_topics([topic])[name].result(20)


def main():
    checks = kit.Checks()
    bodies = [
        drains_on_a_signal,
        signals_that_end_nothing,
        a_drain_that_cannot_end,
        a_killed_service_loses_nothing,
        one_state_directory_has_one_owner,
        a_damaged_database_is_refused,
        a_broker_that_is_away,
        require_kafka,
        rotation_and_new_files,
        an_unreadable_file_is_named_and_retried,
        a_glob_that_matches_nothing_is_said,
        a_removed_state_directory_ends_the_service,
        a_full_state_directory_ends_a_one_shot,
        runs_once,
        lines_that_are_too_long,
    ]
    only = sys.argv[1:]
    for body in bodies:
        if only and body.__name__ not in only:
            continue
        with kit.temporary_folder("service") as folder, checks.group(body.__name__):
            body(checks, folder / "it")
    checks.finish()


if __name__ == "__main__":
    main()
