"""Numbered lines: how they are written, what the pipeline makes of them, and what arrived.

Each line begins with a number of its own, and each record's value with the line and, from the second
send on, with the send before it: so every record is known by its value, whatever its topic, key and
partition.
"""

import bisect
import os
import pathlib
import random
import re
import subprocess
import threading
import time

import kit

TOPIC = "crash"
SENDS = ["", "copy ", "again "]


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
        key = "" if options.no_key else f'  key   = "{mark}${{number}}"\n'
        sends += f'\nsend {{\n  topic = "{topic}"\n{key}  value = "{prefix}${{@raw}}"\n'
        sends += f'  headers {{ edition = "{edition}" }}\n}}\n'
    parse = "parse regex('^(?<number>\\d+) ') {\n  number: int\n}\n"
    return f'from "logs/*.log*"\n\n{parse}{sends}\non error stop\n'


def topics(options):
    names = [TOPIC] + ([f"{TOPIC}.copy"] if options.sends > 1 else [])
    return names + ([f"{name}.b" for name in names] if options.edit_pipeline else [])


class Writer(threading.Thread):
    """Appends numbered lines at a steady rate; its writes end in the middle of lines.

    With `rotate` each file is renamed now and then, and another begun under its name.
    """

    def __init__(self, folder, options, rng):
        super().__init__(daemon=True)
        self.folder = pathlib.Path(folder)
        self.options = options
        self.rng = random.Random(rng.random())
        self.files = [self.open(index) for index in range(options.files)]
        # By file: the first number of each of its generations.
        self.begins = [[0] for _ in self.files]
        self.written = 0
        self.failure = None

    def open(self, index):
        return os.open(
            self.folder / f"{index}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644
        )

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
        path = self.folder / f"{index}.log"
        os.close(self.files[index])
        path.rename(self.folder / f"{index}.log.{len(self.begins[index])}")
        self.files[index] = self.open(index)
        self.begins[index].append(self.written)

    def line(self, number):
        text = b"%d some words of a log line that says %d" % (number, number * 7919)
        return text.ljust(self.options.size - 1, b".") + b"\n"

    def file_of(self, number):
        """The file that a line is in, and which of those that had its name."""
        index = number % len(self.files)
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
        number = int(value[len(SENDS[send]) :].split(b" ", 1)[0])
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
        stream = (message.topic(), message.partition(), self.writer.file_of(number))
        if place < self.last.get(stream, -1):
            self.unordered += 1
            self.note("out of order", message, number, send)
        self.last[stream] = max(place, self.last.get(stream, -1))

    def note(self, what, message, number, send):
        if len(self.examples) < 20:
            self.examples.append(
                f"{what}: line {number} send {send} at {message.topic()}-{message.partition()}"
                f" offset {message.offset()}"
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
        return f"lost {self.lost}, repeated {self.repeated}, out of order {self.unordered}"


def delivery_mode(wanted):
    """What a start must be told for the mode, and the mode: the program's own default without one."""
    help_text = subprocess.run(
        [str(kit.FORKTAIL), "run", "--help"], capture_output=True, text=True, timeout=30
    ).stdout
    if "--delivery" in help_text:
        default = re.search(r"--delivery\b.*?default:\s*(\w+)", help_text, re.DOTALL)
        mode = wanted or (default.group(1) if default else "exactly_once")
        return ["--delivery", mode], mode
    if wanted not in (None, "at_least_once"):
        raise kit.Failure(f"this forktail has no --delivery {wanted}")
    return [], "at_least_once"


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

    def wait(self, wanted, is_running, settle=3.0, quiet=60.0):
        """Waits until so many are there and no more come, or until nothing comes for long.

        Returns when the last one came.
        """
        last, since = None, time.monotonic()
        while is_running():
            now = self.total()
            if now != last:
                last, since = now, time.monotonic()
            still = time.monotonic() - since
            if still > quiet or now is not None and now >= wanted and still > settle:
                break
            time.sleep(0.25)
        return since

    def close(self):
        self.consumer.close()
