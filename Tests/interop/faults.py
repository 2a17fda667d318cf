#!/usr/bin/env python3
"""Through a proxy that loses answers, doubles requests, cuts and stalls: each line is there once.

    Tests/interop/faults.py [--records N] [forktail|noida|tansu]…

First a table: for each fault, how many of N records (51) that `forktail produce` sends are stored,
stored twice and lost, with and without idempotence. Then a backfill of many lines with one fault
after the other.
"""

import argparse
import pathlib
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

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


# What is told to the proxy before anything is sent. Without idempotence those that lose what was
# stored have to store it twice, or they would prove nothing.
FAULTS = {
    "none": (False, lambda proxy: None),
    "3 answers lost, connection cut": (True, lambda proxy: proxy.lose_answers(PRODUCE, 3)),
    "2 answers left out": (True, lambda proxy: proxy.swallow_answers(PRODUCE, 2)),
    "an answer never comes": (True, lambda proxy: proxy.hang(PRODUCE)),
    "5 requests doubled": (True, lambda proxy: proxy.double_requests(PRODUCE, 5)),
    "a request after its connection's end": (True, lambda proxy: proxy.pass_late(0.3)),
    "3 answers with REQUEST_TIMED_OUT": (True, lambda proxy: proxy.fail_answers(7, 3)),
    "2 answers with NOT_ENOUGH_REPLICAS_AFTER_APPEND": (
        *(True, lambda proxy: proxy.fail_answers(20, 2)),
    ),
    "reset within a frame, after 700 bytes": (False, lambda proxy: proxy.cut_after(700)),
    "nothing passes for 1.5 s": (
        *(False, lambda proxy: threading.Thread(target=proxy.stall, args=[1.5]).start()),
    ),
    "connections refused for 1.5 s": (
        *(False, lambda proxy: threading.Thread(target=proxy.refuse, args=[1.5]).start()),
    ),
    "each answer 100 ms late": (False, lambda proxy: proxy.delay(0.1)),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=51)
    parser.add_argument("brokers", nargs="*", default=kit.BROKERS)
    options = parser.parse_args()
    checks = kit.Checks()
    for kind in options.brokers:
        # Tansu takes the same batch twice when it comes twice at once.
        if kind != "tansu":
            with kit.broker(kind) as bootstrap:
                table(checks, kind, bootstrap, options.records)
        with checks.group(f"faults before {kind}"), kit.temporary_folder("faults") as folder:
            with kit.broker(kind) as bootstrap:
                run(checks, kind, folder, bootstrap)
    checks.finish()


def table(checks, kind, bootstrap, count):
    print(f"{count} records to {kind}: stored/duplicates/lost")
    print(f"{'':50} {'idempotent':>20} {'not':>20}")
    topics = {(name, kept): f"fault-{n}-{kept}" for n, name in enumerate(FAULTS) for kept in (1, 0)}
    kit.create_topics(bootstrap, dict.fromkeys(topics.values(), 1))
    # They wait more than they work: for timeouts, and for what is held.
    with ThreadPoolExecutor(6 if count < 1000 else 1) as pool:
        outcomes = {
            each: pool.submit(sent, bootstrap, topic, count, FAULTS[each[0]][1], each[1])
            for each, topic in topics.items()
        }
    for name, (repeats, _) in FAULTS.items():
        with checks.group(f"{name}, before {kind}"):
            ours, others = (outcomes[name, kept].result() for kept in (1, 0))
            print(f"{name:50} {show(ours):>20} {show(others):>20}", flush=True)
            checks.equal(f"{name}, before {kind}: each record once", ours, (0, count, 0, 0))
            checks.that(
                f"{name}, before {kind}: without idempotence none is lost"
                + (", and some are repeated" if repeats else ""),
                others[0] == others[3] == 0 and (others[2] > 0) == repeats,
                others,
            )


def show(outcome):
    code, *numbers = outcome
    return "/".join(map(str, numbers)) + (f" (ends with {code})" if code else "")


def sent(bootstrap, topic, count, fault, is_idempotent):
    """How it ended, and how many records are stored, stored once more, and lost."""
    with FaultProxy(bootstrap) as proxy:
        fault(proxy)
        result = subprocess.run(
            [
                *(str(kit.FORKTAIL), "produce", "-t", topic, "-b", proxy.bootstrap),
                *("-X", f"enable.idempotence={'true' if is_idempotent else 'false'}"),
                *("-X", "request.timeout.ms=1500", "-q"),
            ],
            input="".join(f"{n}\n" for n in range(count)).encode(),
            capture_output=True,
            timeout=90,
        )
        if proxy.is_busy:
            kit.wait_until(lambda: not proxy.is_busy)
    found = Counter(int(message.value()) for message in kit.read(bootstrap, [topic]))
    stored = found.total()
    return result.returncode, stored, stored - len(found), count - len(found)


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
