"""Numbered lines: how they are written, what the pipeline makes of them, and what arrived.

Each line begins with a number of its own, and each record's value with the line and, from the second
send on, with the send before it: so every record is known by its value, whatever its topic, key and
partition.
"""

import bisect
import gzip
import os
import pathlib
import random
import re
import shutil
import threading
import time

import kit

TOPIC = "crash"
SENDS = ["", "copy ", "again "]
DEAD = f"{TOPIC}.dead"
DIGITS = re.compile(rb"\d+")

# With dead letters: every so manieth line does not parse, and the record of another is refused by
# Kafka, for its time is long ago, or because it is too long.
UNPARSED, REFUSED = 50, 61
LONGEST = 8000


def pipeline(options, edition=0):
    """The text of an edition; each sends every line once, but elsewhere and otherwise.

    Editions differ in key and topic, so a line that is made by the wrong one is found in two places.
    """
    sends = ""
    for number, prefix in enumerate(SENDS[: options.sends]):
        topic = f"{TOPIC}.copy" if number == 1 else TOPIC
        if edition % 3 == 2:
            topic += ".b"
        mark = prefix + ("e" * (edition % 2))
        part = "@file} ${number % 7" if options.rename else "number"
        key = "" if options.no_key else f'  key   = "{mark}${{{part}}}"\n'
        key += "  timestamp = at\n" if options.dead_letters else ""
        sends += f'\nsend {{\n  topic = "{topic}"\n{key}  value = "{prefix}${{@raw}}"\n'
        sends += f'  headers {{ edition = "{edition}" }}\n}}\n'
    policy = f'dead_letter "{DEAD}"' if options.dead_letters else "stop"
    return f"{source(options)}\n{sends}\non error {policy}\n"


def source(options):
    # Copies are not read, nor is what is put away.
    glob = "logs/*.log" if options.copytruncate or options.unlink else "logs/*.log*"
    if options.format == "csv":
        return f'from "{glob}"\n\nparse csv(header: true) {{\n  number: int\n  text: string\n}}\n'
    settings = " {\n  multiline = starts_with('^\\d')\n}" if options.format == "multiline" else ""
    at = (" .* @(?<at>\\d+) ", "  at: time(unix)\n") if options.dead_letters else (" ", "")
    regex = f"parse regex('^(?<number>\\d+){at[0]}') {{\n  number: int\n{at[1]}}}\n"
    return f'from "{glob}"{settings}\n\n{regex}'


def topics(options):
    names = [TOPIC] + ([f"{TOPIC}.copy"] if options.sends > 1 else [])
    if options.dead_letters:
        names.append(DEAD)
    return names + ([f"{name}.b" for name in names] if options.edit_pipeline else [])


def topic_settings(options):
    """Limits by which Kafka refuses some records, and none of the dead letters."""
    if not options.dead_letters:
        return {}
    return {
        TOPIC: {
            "message.timestamp.before.max.ms": str(30 * 86_400_000),
            "max.message.bytes": str(LONGEST),
        }
    }


class Writer(threading.Thread):
    """Appends numbered lines at a steady rate; its writes end in the middle of lines.

    With `rotate` each file is renamed now and then, and another begun under its name.
    """

    def __init__(self, folder, options, rng):
        super().__init__(daemon=True)
        self.folder = pathlib.Path(folder)
        self.options = options
        self.rng = random.Random(rng.random())
        self.now = int(time.time())
        self.files = [self.open(index) for index in range(options.files)]
        # By file: the first number of each of its generations.
        self.begins = [[0] for _ in self.files]
        self.written = 0
        self.failure = None
        # Held by who writes, or does something to the files.
        self.lock = threading.Lock()

    def open(self, index):
        path = self.folder / f"{index}.log"
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.begin(file)
        return file

    def begin(self, file):
        if self.options.format == "csv":
            os.write(file, b"number,text\n")

    def run(self):
        try:
            self.write()
        except OSError as error:
            self.failure = error

    def write(self):
        lot = max(1, (self.options.rate or 25_000) // 50)
        start = time.monotonic()
        rotated = start
        while self.written < self.options.lines:
            numbers = range(self.written, min(self.written + lot, self.options.lines))
            with self.lock:
                for index, file in enumerate(self.files):
                    data = b"".join(self.line(n) for n in numbers if n % len(self.files) == index)
                    cut = self.rng.randrange(len(data) + 1)
                    os.write(file, data[:cut])
                    os.write(file, data[cut:])
                self.written = numbers.stop
            if self.options.rotate and time.monotonic() - rotated > self.options.rotate:
                rotated = time.monotonic()
                self.rotate(self.rng.randrange(len(self.files)))
            if self.options.rate:
                time.sleep(max(0, start + self.written / self.options.rate - time.monotonic()))

    def rotate(self, index):
        """Renames a file, and begins another one."""
        with self.lock:
            path = self.path(index)
            os.close(self.files[index])
            path.rename(self.folder / f"{index}.log.{len(self.begins[index])}")
            self.files[index] = self.open(index)
            self.begins[index].append(self.written)

    def truncate(self, index):
        """Copies a file and empties it; the lock is held."""
        path = self.path(index)
        shutil.copy(path, self.folder / f"{index}.copy.{len(self.begins[index])}")
        os.truncate(path, 0)
        self.begin(self.files[index])
        self.begins[index].append(self.written)

    def unlink(self, index):
        """Deletes a file and begins another one; the lock is held."""
        os.close(self.files[index])
        self.path(index).unlink()
        self.files[index] = self.open(index)
        self.begins[index].append(self.written)

    def compress(self):
        """What is written becomes gzip files, and the lines as they were go."""
        for file in self.folder.glob("*.log*"):
            (self.folder / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), 1))
            file.unlink()

    def path(self, index):
        return self.folder / f"{index}.log"

    def line(self, number):
        text = self.text(number).ljust(self.options.size - 1, b".")
        if self.options.format == "multiline":
            text += b"\n  at the second line of %d\n  and the third" % number
        return text + b"\n"

    def text(self, number):
        separator = b"," if self.options.format == "csv" else b" "
        text = b"%d%ssome words of a log line that says %d" % (number, separator, number * 7919)
        if not self.options.dead_letters:
            return text
        if number % UNPARSED == 0:
            return text + b" and no time"
        if number % REFUSED == 0 and number % 2:
            return text + b" @1000000 "
        text += b" @%d " % self.now
        if number % REFUSED == 0:
            # No codec makes it short enough.
            text += random.Random(number).randbytes(LONGEST + 1000).hex().encode()
        return text

    def is_dead(self, number):
        """Whether its record is a dead letter."""
        is_refused = number % REFUSED == 0
        return self.options.dead_letters and (number % UNPARSED == 0 or is_refused)

    def stream_of(self, number):
        """What a line keeps its order in: the files of one name, each after the one before it.

        What a copy has of a file that was truncated, or what was deleted, is read beside the new one.
        """
        index = number % len(self.files)
        if not self.options.copytruncate and not self.options.unlink:
            return index
        return index, bisect.bisect_right(self.begins[index], number)


class Tally:
    """Which records arrived, how often, and in which order."""

    def __init__(self, options, writer, counts_repeats_as_order):
        self.sends = options.sends
        self.lines = options.lines
        self.writer = writer
        self.strict = counts_repeats_as_order
        self.counts = bytearray(options.lines * options.sends)
        self.last = {}
        self.seen = self.repeated = self.unordered = self.strange = 0
        self.examples = []

    def add(self, message):
        value = message.value()
        send = next(n for n in reversed(range(len(SENDS))) if value.startswith(SENDS[n].encode()))
        content = value[len(SENDS[send]) :]
        number = int(DIGITS.match(content)[0])
        is_in_place = (message.topic() == DEAD) == self.writer.is_dead(number)
        if not is_in_place or content + b"\n" != self.writer.line(number):
            self.strange += 1
            self.note("strange", message, number, send)
        place = number * self.sends + send
        repeated = self.counts[place] > 0
        self.counts[place] = min(255, self.counts[place] + 1)
        if repeated:
            self.repeated += 1
            self.note("repeated", message, number, send)
            # At least once: what was sent again may stand behind what followed it.
            if not self.strict:
                return
        else:
            self.seen += 1
        if kit.headers(message).get("dlq.kind") == "kafka":
            # Its answer comes when it comes, and others went on meanwhile.
            return
        stream = (message.topic(), message.partition(), self.writer.stream_of(number))
        last, where = self.last.get(stream, (-1, None))
        if place < last:
            self.unordered += 1
            behind = f"behind line {last // self.sends} at offset {where}"
            self.note("out of order", message, number, send, behind)
        else:
            self.last[stream] = (place, message.offset())

    def note(self, what, message, number, send, more=""):
        if len(self.examples) < 20:
            self.examples.append(
                f"{what}: line {number} send {send} at {message.topic()}-{message.partition()}"
                f" offset {message.offset()} {more}"
            )

    @property
    def expected(self):
        return self.lines * self.sends

    @property
    def lost(self):
        return self.expected - self.seen

    @property
    def first_lost(self):
        """The lowest records that are not there, as line and send."""
        found, at = [], self.counts.find(0)
        while at >= 0 and len(found) < 10:
            found.append(divmod(at, self.sends))
            at = self.counts.find(0, at + 1)
        return found

    @property
    def summary(self):
        return (
            f"lost {self.lost}, repeated {self.repeated}, out of order {self.unordered}, "
            f"not as written {self.strange}"
        )


def delivery_mode(wanted):
    """What a start must be told for the mode, and the mode: exactly_once without one."""
    mode = wanted or "exactly_once"
    return ["--delivery", mode], mode


class Ends:
    """How many records the topics hold, by their last offsets."""

    def __init__(self, bootstrap, names):
        from confluent_kafka import Consumer

        self.names = names
        self.consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "ends", "log_level": 2}
        )

    def total(self):
        from confluent_kafka import KafkaException, TopicPartition

        try:
            total = 0
            metadata = self.consumer.list_topics(timeout=15)
            for name in self.names:
                for number in metadata.topics[name].partitions:
                    part = TopicPartition(name, number)
                    total += self.consumer.get_watermark_offsets(part, 15)[1]
            return total
        except KafkaException:
            return None

    def count(self):
        return self.total()

    def wait(self, wanted, is_running, settle=3.0, quiet=60.0):
        """Waits until so many are there and no more come, or until nothing comes for long.

        Returns when the last one came.
        """
        last, since = None, time.monotonic()
        while is_running():
            now = self.count()
            if now != last:
                last, since = now, time.monotonic()
            still = time.monotonic() - since
            if still > quiet or now is not None and now >= wanted and still > settle:
                break
            time.sleep(0.25)
        return since

    def close(self):
        self.consumer.close()


class CommittedEnds(Ends):
    """The same for a consumer that reads committed: last offsets count what was aborted as well."""

    def __init__(self, bootstrap, names):
        from confluent_kafka import Consumer, TopicPartition

        super().__init__(bootstrap, names)
        self.seen = 0
        self.reader = Consumer(
            {
                "bootstrap.servers": bootstrap, "group.id": "committed", "log_level": 2,
                "isolation.level": "read_committed", "enable.auto.commit": False,
            }
        )
        metadata = self.reader.list_topics(timeout=15)
        self.reader.assign(
            [TopicPartition(n, p, 0) for n in names for p in metadata.topics[n].partitions]
        )

    def count(self):
        while messages := self.reader.consume(10_000, 0.2):
            self.seen += sum(message.error() is None for message in messages)
        return self.seen

    def close(self):
        self.reader.close()
        super().close()
