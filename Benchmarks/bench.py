"""What the benchmarks share: the discarding broker, the log, a measured process, a table."""

import contextlib
import json
import os
import pathlib
import random
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "tools"))
sys.dont_write_bytecode = True
import kit

CACHE = ROOT / ".cache" / "benchmarks"


def build():
    """Builds Forktail and the discarding broker, both for release."""
    if "FORKTAIL" not in os.environ:
        subprocess.run([kit.TOOLS / "setup", "build"], check=True)
        run = ["swift", "build", "-c", "release", "--product", "forktail", "--package-path"]
        subprocess.run([*run, ROOT], check=True, stdout=sys.stderr)
    build_product("discard")


def build_product(name):
    """Builds a program of this package for release; what it needs of Forktail as well."""
    command = ["swift", "build", "-c", "release", "--product", name, "--package-path"]
    subprocess.run([*command, ROOT / "Benchmarks"], check=True, stdout=sys.stderr)


def install(package):
    """Installs a Debian package that a measurement needs and Forktail does not."""
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    status = subprocess.run(query, capture_output=True, text=True)
    if status.stdout != "installed":
        subprocess.run(["apt-get", "install", "-y", package], check=True, stdout=sys.stderr)


class Discard:
    """The discarding broker while the body runs; `taken` afterwards is what it took."""

    def __init__(self, partitions=8):
        self.command = [ROOT / "Benchmarks" / ".build" / "release" / "discard"]
        self.command += ["--partitions", str(partitions)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        self.bootstrap = self.process.stdout.readline().split()[1]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.taken = json.loads(self.process.communicate()[0])


def log_file(megabytes):
    """A file of JSON log lines of about 260 bytes; made once, the same on every machine."""
    path = CACHE / f"log-{megabytes}MB.jsonl"
    if path.exists():
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    with open(unfinished, "wb") as file:
        size = 0
        for text in log_lines(random.Random(1)):
            size += file.write(text)
            if size >= megabytes * 1_000_000:
                break
    unfinished.rename(path)
    return path


def log_lines(rng):
    """Lots of 1,000 lines, for ever."""
    services = ["cart", "checkout", "search", "payments", "accounts", "catalogue"]
    levels = ["info"] * 8 + ["warn", "error"]
    messages = ["request completed", "cache miss, asking the database", "session renewed"]
    messages += ["retrying after a time-out", "order placed", "user has no permission"]
    stamp = 1_795_428_000_000
    while True:
        lines = []
        for _ in range(1000):
            stamp += rng.randrange(5)
            lines.append(
                '{"ts":%d,"level":"%s","service":"%s","host":"web-%02d","trace_id":"%032x",'
                '"user":%d,"method":"GET","path":"/api/v2/items/%d","status":%d,"took_ms":%.2f,'
                '"bytes":%d,"v":"2.41.0","msg":"%s"}\n'
                % (
                    *(stamp, rng.choice(levels), rng.choice(services), rng.randrange(24)),
                    *(rng.getrandbits(128), rng.randrange(1_000_000), rng.randrange(100_000)),
                    *(rng.choice([200, 200, 200, 304, 404, 500]), rng.random() * 300),
                    *(rng.randrange(100_000), rng.choice(messages)),
                )
            )
        yield "".join(lines).encode()


class Tally:
    """Numbered lines, as they arrive: each stream's are to come once, and in order."""

    def __init__(self, streams):
        """`streams` has the count of lines of each."""
        self.counts = {name: bytearray(count) for name, count in streams.items()}
        self.last = {}
        self.delivered = self.repeated = self.unordered = 0

    def add(self, stream, number):
        counts = self.counts[stream]
        if counts[number]:
            self.repeated += 1
            return
        counts[number] = 1
        self.delivered += 1
        self.unordered += number < self.last.get(stream, -1)
        self.last[stream] = number

    @property
    def missing(self):
        """The lines that did not come, as pairs."""
        for name, counts in self.counts.items():
            yield from ((name, number) for number, count in enumerate(counts) if not count)

    @property
    def is_complete(self):
        return self.delivered == sum(map(len, self.counts.values()))


@contextlib.contextmanager
def arrivals(bootstrap, topic):
    """Gives a function that waits half a second at most, and returns the records that have come."""
    from confluent_kafka import Consumer, TopicPartition

    settings = {"group.id": "arrivals", "auto.offset.reset": "error", "check.crcs": True}
    consumer = Consumer({"bootstrap.servers": bootstrap, "fetch.wait.max.ms": 50, **settings})
    partitions = consumer.list_topics(topic, timeout=15).topics[topic].partitions
    consumer.assign([TopicPartition(topic, each, 0) for each in partitions])

    def take():
        first = consumer.poll(0.5)
        messages = [first, *consumer.consume(5000, 0)] if first else []
        return [each for each in messages if each.error() is None]

    try:
        yield take
    finally:
        consumer.close()


def counters(folder):
    """What Forktail has counted over all runs with a state directory."""
    listing = kit.forktail("checkpoints", "list", "--state-dir", folder, "--json").stdout
    rows = map(json.loads, listing.splitlines())
    return {row["counter"]: int(row["value"]) for row in rows if "counter" in row}


class Measured:
    """A process that has ended: its CPU and wall seconds, largest resident memory, and output."""

    def __init__(self, command):
        start = time.monotonic()
        null = os.open(os.devnull, os.O_RDWR)
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [str(part) for part in command], stdin=null, stdout=pipe, stderr=pipe
        )
        errors = process.stderr.read().decode(errors="replace")
        self.output = process.stdout.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        os.close(null)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.wall = time.monotonic() - start
        self.cpu = usage.ru_utime + usage.ru_stime
        self.megabytes = usage.ru_maxrss * 1024 / 1_000_000
        if process.returncode != 0:
            raise kit.Failure(f"{command[0]} ended with {process.returncode}: {errors[-800:]}")


def cpu_milliseconds(pid):
    """What a running process has used so far, by the scheduler's clock where there is one."""
    tasks = pathlib.Path(f"/proc/{pid}/task")
    try:
        return sum(int((t / "schedstat").read_text().split()[0]) for t in tasks.iterdir()) / 1e6
    except OSError:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """What a running process has used so far, threads that have ended included; to 10 ms."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def print_table(rows):
    """Rows of text, the first of them the names; numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("| " + " | ".join(cells) + " |")
        if number == 0:
            ends = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
            print("| " + " | ".join(ends) + " |")
