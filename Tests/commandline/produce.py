#!/usr/bin/env python3
"""`forktail produce`: what arrives, what it says, and how it ends.

    Tests/commandline/produce.py
"""

import pathlib
import re
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit


def produce(bootstrap, topic, *arguments, text="", timeout=60):
    return subprocess.run(
        [str(kit.FORKTAIL), "produce", "-t", topic, "-b", bootstrap, *map(str, arguments)],
        input=text if isinstance(text, bytes) else text.encode(),
        capture_output=True,
        timeout=timeout,
    )


def said(result):
    return f"{result.returncode} {result.stdout.decode()} {result.stderr.decode()}"


def records(bootstrap, topic):
    return [
        (m.partition(), m.key(), m.value(), m.headers() or [])
        for m in sorted(kit.read(bootstrap, [topic]), key=lambda m: (m.partition(), m.offset()))
    ]


def lines_arrive(checks, folder, bootstrap):
    result = produce(bootstrap, "plain", text=b"one\n\nthr\xffee\r\nlast")
    checks.that(
        "lines of standard input arrive in order, with the summary on standard error",
        [value for _, _, value, _ in records(bootstrap, "plain")]
        == [b"one", b"", b"thr\xffee", b"last"]
        and result.returncode == 0
        and result.stdout == b""
        and result.stderr.decode() == "4 records read = 4 acknowledged · topic plain\n",
        said(result),
    )
    (folder / "a.txt").write_text("a1\na2")
    (folder / "b.txt").write_text("b1\n")
    result = produce(bootstrap, "files", "-q", "-v", folder / "a.txt", folder / "b.txt")
    checks.that(
        "files are read one after the other, and -v names file, line, partition and offset",
        [value for _, _, value, _ in records(bootstrap, "files")] == [b"a1", b"a2", b"b1"]
        and result.stdout.decode().splitlines()
        == [
            f"{folder}/a.txt:1: files partition 0 offset 0",
            f"{folder}/a.txt:2: files partition 0 offset 1",
            f"{folder}/b.txt:1: files partition 0 offset 2",
        ],
        said(result),
    )
    many = 200_000
    result = produce(bootstrap, "many", text="".join(f"{n}\n" for n in range(many)))
    checks.that(
        "many lines arrive, each once and in order",
        [int(value) for _, _, value, _ in records(bootstrap, "many")] == list(range(many))
        and f"{many:,}".replace(",", " ") + " acknowledged" in result.stderr.decode(),
        said(result),
    )


def parts_of_a_line(checks, folder, bootstrap):
    kit.create_topics(bootstrap, {"parts": 3})
    result = produce(
        *(bootstrap, "parts", "--parse-headers", "--parse-key", "--null-marker", "NULL"),
        *("-H", "host=h1", "--partition", 2, "--timestamp", 1_700_000_000_000),
        text="trace:t-77,b:NULL\t42\tpaid\n\tNULL\tNULL\n",
    )
    message = next(iter(kit.read(bootstrap, ["parts"])), None)
    checks.that(
        "headers, key, value, null, partition and timestamp are as they were asked for",
        records(bootstrap, "parts")
        == [
            (2, b"42", b"paid", [("host", b"h1"), ("trace", b"t-77"), ("b", None)]),
            (2, None, None, [("host", b"h1")]),
        ]
        and message.timestamp()[1] == 1_700_000_000_000,
        f"{records(bootstrap, 'parts')} {said(result)}",
    )
    kit.create_topics(bootstrap, {"keys": 3})
    produce(
        *(bootstrap, "keys", "--parse-key", "--key-separator", ":"),
        text="".join(f"k{n}:{n}\n" for n in range(50)),
    )
    found = records(bootstrap, "keys")
    checks.that(
        "a key chooses the partition that it does for Kafka's Java client",
        len(found) == 50 and all(kit.partition_of(key, 3) == number for number, key, _, _ in found),
        found,
    )


def wrong_input(checks, folder, bootstrap):
    result = produce(bootstrap, "wrong", "--parse-key", text="1\tone\nno key\n3\tthree\n")
    checks.that(
        "a line without a separator is named (65), and those before it are sent",
        result.returncode == 65
        and "line 2: no tab after the key" in result.stderr.decode()
        and [key for _, key, _, _ in records(bootstrap, "wrong")] == [b"1"],
        said(result),
    )
    large = "x" * 1_100_000
    result = produce(bootstrap, "large", text=f"one\n{large}\nthree\n")
    checks.that(
        "a record over max.request.size is named by its line (65), and the others arrive",
        result.returncode == 65
        and re.search(r"line 2: .*max\.request\.size", result.stderr.decode())
        and [value for _, _, value, _ in records(bootstrap, "large")] == [b"one", b"three"],
        said(result)[:600],
    )
    result = produce(
        bootstrap, "large", "-X", "max.request.size=4000000", "-X", "compression.type=none",
        text=f"four\n{large}\nsix\n",
    )
    checks.that(
        "a record that the broker finds too large is named by its line (65), and the others arrive",
        result.returncode == 65
        and re.search(r"line 2: .*MESSAGE_TOO_LARGE", result.stderr.decode())
        and len(records(bootstrap, "large")) == 4,
        said(result)[:600],
    )
    result = produce(bootstrap, "absent", folder / "absent.txt")
    checks.equal("a file that is not there ends with 66", result.returncode, 66)
    result = produce(bootstrap, "absent", folder)
    checks.equal("input that cannot be read ends with 66", result.returncode, 66)
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [str(kit.FORKTAIL), "produce", "-t", "full", "-b", bootstrap, "-v", "-q"],
            input=b"one\n",
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    checks.that(
        "receipts that cannot be written end with 74",
        result.returncode == 74 and b"standard output" in result.stderr,
        f"{result.returncode} {result.stderr}",
    )


def wrong_set_up(checks, folder, bootstrap):
    for name, words, says in [
        ("no topic", ["produce", "-b", bootstrap], "--topic"),
        ("a name that no topic can have", ["produce", "-b", bootstrap, "-t", "a b"], "no name"),
        (
            "a property of kafka-console-producer's reader",
            ["produce", "-t", "t", "-b", bootstrap, "--property", "parse.key=true"],
            "use --parse-key",
        ),
        ("a header without a name", ["produce", "-t", "t", "-b", bootstrap, "-H", "=v"], "-H"),
        (
            "a separator that nothing parses",
            ["produce", "-t", "t", "-b", bootstrap, "--key-separator", ":"],
            "--parse-key",
        ),
        (
            "a partition that the topic does not have",
            ["produce", "-t", "parts", "-b", bootstrap, "--partition", "3"],
            "3, from 0 to 2",
        ),
    ]:
        result = kit.forktail(*words)
        checks.that(
            f"{name} ends with 64, and says so",
            result.returncode == 64 and says in result.stderr,
            f"{result.returncode} {result.stderr}",
        )
    result = produce(bootstrap, "nowhere", "-X", "allow.auto.create.topics=false", text="one\n")
    checks.that(
        "a topic that does not exist ends with 78, and says so",
        result.returncode == 78 and 'topic "nowhere" does not exist' in result.stderr.decode(),
        said(result),
    )
    result = produce(bootstrap, "t", "-X", "linger.sm=5")
    checks.that(
        "a property that is none ends with 78, and the nearest name",
        result.returncode == 78 and "linger.ms" in result.stderr.decode(),
        said(result),
    )
    result = produce(f"127.0.0.1:{kit.free_port()}", "t", "--timeout", "1s", text="one\n")
    checks.that(
        "without a broker it ends with 69, and says what the trouble is",
        result.returncode == 69
        and "refused" in result.stderr.decode()
        and "1 record read = 0 acknowledged + 1 not acknowledged" in result.stderr.decode(),
        said(result),
    )
    result = produce(bootstrap, "ready", text="")
    checks.that(
        "input without a line tells that the topic can be had",
        result.returncode == 0 and "0 records read" in result.stderr.decode(),
        said(result),
    )


def signals(checks, folder, bootstrap):
    process = start(bootstrap, "signal")
    process.stdin.write(b"one\ntwo\nthr")
    process.stdin.flush()
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.wait(20)  # Standard input stays open until then.
    output, errors = process.communicate()
    checks.that(
        "SIGTERM sends what was read, says what became of it, and ends with 75",
        process.returncode == 75
        and b"2 records read = 2 acknowledged" in errors
        and first.startswith(b"line 1: signal partition 0 offset 0")
        and [value for _, _, value, _ in records(bootstrap, "signal")] == [b"one", b"two"],
        f"{process.returncode} {first} {output} {errors}",
    )
    process = start(f"127.0.0.1:{kit.free_port()}", "signal")
    process.stdin.write(b"one\ntwo\n")
    process.stdin.flush()
    # Before it tells of trouble it may not be ready for signals.
    read_until(process, b"trouble")
    # The first line waits for its topic; the second is counted when that is given up.
    read_until(process, b"1 record read", asking=signal.SIGUSR1)
    process.send_signal(signal.SIGINT)
    read_until(process, b"Ctrl-C again")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    checks.that(
        "a second Ctrl-C ends at once with 130, and says how many are not acknowledged",
        process.returncode == 130 and b"2 records read = 0 acknowledged + 2 not ack" in errors,
        f"{process.returncode} {errors}",
    )


def read_until(process, text, asking=None):
    while True:
        if asking is not None:
            process.send_signal(asking)
        line = process.stderr.readline()
        if text in line:
            return
        if not line:
            raise kit.Failure(f"it ended before it said {text}")


def start(bootstrap, topic):
    return subprocess.Popen(
        [str(kit.FORKTAIL), "produce", "-t", topic, "-b", bootstrap, "-v", "--log-level", "warning"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def main():
    checks = kit.Checks()
    with kit.temporary_folder("produce") as folder:
        with kit.broker("forktail", partitions=1) as bootstrap:
            for body in (lines_arrive, parts_of_a_line, wrong_input, wrong_set_up, signals):
                with checks.group(body.__name__):
                    body(checks, folder, bootstrap)
    checks.finish()


if __name__ == "__main__":
    main()
