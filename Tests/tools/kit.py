"""What the scripts in Tests and Benchmarks share: programs, topics, records, checks.

Importing it moves the script into the Python environment that Tests/tools/setup makes.
"""

import contextlib
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "Tests" / "tools"
FORKTAIL = pathlib.Path(os.environ.get("FORKTAIL", ROOT / ".build" / "release" / "forktail"))



def _enter_environment():
    environment = ROOT / ".cache" / "python"
    if pathlib.Path(sys.prefix).resolve() == environment.resolve():
        return
    subprocess.run([TOOLS / "setup", "kcat", "python"], check=True)
    python = str(environment / "bin" / "python")
    os.execv(python, [python, "-B", *sys.argv])


_enter_environment()

BROKERS = ["forktail", "noida", "tansu"]
CODECS = ["none", "gzip", "lz4", "zstd"]


class Failure(Exception):
    """Something without which a script cannot go on."""


# MARK: Checks


class Checks:
    """Says PASS or FAIL, one line a check, and ends the script with what they add up to."""

    def __init__(self):
        self.failed = 0

    def that(self, name, holds, detail=""):
        if holds:
            print(f"PASS {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL {name}{': ' if detail != '' else ''}{detail}", flush=True)
        return bool(holds)

    def equal(self, name, found, wanted):
        return self.that(name, found == wanted, f"{found!r}, not {wanted!r}")

    @contextlib.contextmanager
    def group(self, name):
        """A check that the body reaches its end: a failure in it does not stop the script."""
        try:
            yield
        except Exception as error:
            self.that(name, False, f"{type(error).__name__}: {error}")

    def finish(self):
        sys.exit(1 if self.failed else 0)


def wait_until(condition, timeout=30.0, every=0.02):
    """The first true value of `condition`, or the last false one when time is up."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(every)


@contextlib.contextmanager
def temporary_folder(name):
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"forktail-{name}-"))
    try:
        yield path
    finally:
        if os.environ.get("KEEP"):
            print(f"kept {path}", file=sys.stderr)
        else:
            shutil.rmtree(path, ignore_errors=True)


def free_port(count=1):
    """The first of so many ports in a row, below those that the kernel gives to connections."""
    for _ in range(1000):
        first = random.randrange(20_000, 32_000)
        try:
            with contextlib.ExitStack() as stack:
                for port in range(first, first + count):
                    listener = stack.enter_context(socket.socket())
                    listener.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise Failure(f"no {count} ports in a row are free")


# MARK: Programs


def forktail(*arguments, timeout=120, **options):
    """Runs a command to its end; the result has `returncode`, `stdout` and `stderr`."""
    return subprocess.run(
        [str(FORKTAIL), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        **options,
    )


class Service:
    """A `forktail run` in the background, its log in a file; or another command."""

    def __init__(self, log, *arguments, command="run"):
        self.log_path = pathlib.Path(log)
        with open(self.log_path, "ab") as output:
            self.process = subprocess.Popen(
                [str(FORKTAIL), command, *map(str, arguments), "--log-format", "json"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def is_running(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.is_running:
            self.process.send_signal(number)

    def wait(self, timeout=40):
        return self.process.wait(timeout)

    def terminate(self, timeout=40):
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_running:
            self.kill()


@contextlib.contextmanager
def broker(kind, partitions=4, port=0, data=None, options=()):
    """Runs a broker for as long as the body runs, and gives its host:port."""
    process = start_broker(kind, partitions, port, data, options)
    try:
        yield process.bootstrap
    finally:
        stop_broker(process)


def start_broker(kind, partitions=4, port=0, data=None, options=(), prefix=()):
    """Starts a broker; `options` are for Forktail's own, which takes commands on `stdin`.

    `prefix` is a command that runs it.
    """
    if kind == "forktail":
        command = [FORKTAIL, "broker", "--port", port, "--partitions", partitions, "-q"]
        command += ["--commands", *options]
        if data is not None:
            command += ["--data-dir", data]
    else:
        command = [TOOLS / f"start-{kind}", "--port", port]
        if data is not None:
            command += ["--data", data]
    process = subprocess.Popen(
        [str(part) for part in [*prefix, *command]],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.PIPE if kind == "forktail" else subprocess.DEVNULL,
        text=True,
    )
    ready, _, _ = select.select([process.stdout], [], [], 20)
    line = process.stdout.readline() if ready else ""
    if not line.startswith("BOOTSTRAP "):
        process.kill()
        process.wait()
        raise Failure(f"the {kind} broker did not start (it said {line!r})")
    process.bootstrap = line.split()[1]
    return process


def tell_broker(process, command):
    """Gives Forktail's broker a command and waits until it is obeyed."""
    process.stdin.write(command + "\n")
    process.stdin.flush()
    answer = process.stdout.readline().strip()
    if answer != "OK":
        raise Failure(f"the broker answered {command!r} with {answer!r}")


def stop_broker(process, timeout=20):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    process.stdout.close()
    if process.stdin:
        process.stdin.close()


# MARK: Topics and records


def create_topics(bootstrap, topics, settings={}):
    """Makes topics from {name: partitions}, none of which forgets old records.

    `settings` is {name: {setting: value}}.
    """
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    wanted = [
        NewTopic(
            name,
            num_partitions=count,
            replication_factor=1,
            config={"retention.ms": "-1", **settings.get(name, {})},
        )
        for name, count in topics.items()
    ]
    for future in admin.create_topics(wanted, operation_timeout=10).values():
        future.result(20)


def read(bootstrap, topics, quiet=20.0, properties={}, **options):
    """Yields every record of the topics, from their first offsets to their ends.

    The end is where the broker says it is in the answer to a fetch: not every broker is right
    about it when asked for the offset. Checksums are checked.
    """
    from confluent_kafka import Consumer, KafkaError, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "check.crcs": True,
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
            "log_level": 3,
            **properties,
            **options,
        }
    )
    try:
        metadata = consumer.list_topics(timeout=15)
        open_partitions = set()
        for topic in topics:
            if topic in metadata.topics:
                open_partitions |= {(topic, p) for p in metadata.topics[topic].partitions}
        if not open_partitions:
            return
        consumer.assign([TopicPartition(t, p, 0) for t, p in sorted(open_partitions)])
        last = time.monotonic()
        while open_partitions:
            messages = consumer.consume(2000, 0.25)
            if messages:
                last = time.monotonic()
            elif time.monotonic() - last > quiet:
                raise Failure(f"no end of {sorted(open_partitions)} in {quiet} s")
            for message in messages:
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_partitions.discard((message.topic(), message.partition()))
                else:
                    raise Failure(f"{message.topic()} [{message.partition()}]: {error.str()}")
    finally:
        consumer.close()


def headers(message):
    """The headers of a record as a dictionary of text."""
    return {name: value.decode() for name, value in message.headers() or []}


def murmur2(data):
    """The hash of Kafka's Java client."""
    mask = 0xFFFFFFFF
    value = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        word = word * 0x5BD1E995 & mask
        word ^= word >> 24
        value = (value * 0x5BD1E995 ^ word * 0x5BD1E995) & mask
    if rest := data[whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * 0x5BD1E995 & mask
    value = (value ^ value >> 13) * 0x5BD1E995 & mask
    return value ^ value >> 15


def partition_of(key, count):
    """Where Kafka's Java client puts a key."""
    return (murmur2(key) & 0x7FFFFFFF) % count


def stored_codecs(bootstrap, topic, partition):
    """The compression codecs of the batches that a broker serves, by its Fetch answers (v4)."""
    names = {0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
    host, port = bootstrap.rsplit(":", 1)
    found, offset = set(), 0
    with socket.create_connection((host, int(port)), 10) as connection:
        while True:
            records = _fetch(connection, topic, partition, offset)
            start = 0
            while len(records) - start >= 61:
                base, length = struct.unpack_from(">qi", records, start)
                if len(records) - start < 12 + length:
                    break
                attributes, last_delta = struct.unpack_from(">hi", records, start + 21)
                found.add(names.get(attributes & 7, "?"))
                offset = base + last_delta + 1
                start += 12 + length
            if start == 0:
                return found


def _fetch(connection, topic, partition, offset):
    name = topic.encode()
    # Version 10: brokers give zstd batches to no older one.
    body = struct.pack(">iiiibiii", -1, 200, 1, 8 << 20, 0, 0, -1, 1)
    body += struct.pack(">h", len(name)) + name
    body += struct.pack(">iiiqqi", 1, partition, -1, offset, -1, 8 << 20)
    body += struct.pack(">i", 0)
    request = struct.pack(">hhih", 1, 10, 7, 4) + b"test" + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    answer = _receive(connection, struct.unpack(">i", _receive(connection, 4))[0])
    # After correlation, throttle time, error and session comes the topic; at the end of a log some
    # brokers leave it out.
    (topics,) = struct.unpack_from(">i", answer, 14)
    if topics < 1:
        return b""
    at = 18 + 2 + len(name) + 4 + 4
    (error,) = struct.unpack_from(">h", answer, at)
    if error != 0:
        raise Failure(f"fetch of {topic} [{partition}]: error {error}")
    at += 2 + 8 + 8 + 8
    (aborted,) = struct.unpack_from(">i", answer, at)
    at += 4 + max(0, aborted) * 16
    (size,) = struct.unpack_from(">i", answer, at)
    return answer[at + 4 : at + 4 + max(0, size)]


def _receive(connection, count):
    data = bytearray()
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise Failure("the broker closed the connection")
        data += part
    return bytes(data)
