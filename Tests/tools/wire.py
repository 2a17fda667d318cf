"""Kafka's protocol by hand, so that a test can also send what no client would.

Every request is written field by field; a batch can lie about its checksum, its counts, its
sequence and its epoch. Only the standard library is used.
"""

import collections
import socket
import struct
import time
import zlib

PRODUCE, FETCH, LIST_OFFSETS, METADATA, FIND_COORDINATOR = 0, 1, 2, 3, 10
API_VERSIONS, CREATE_TOPICS, DELETE_TOPICS, INIT_PRODUCER_ID = 18, 19, 20, 22
ADD_PARTITIONS_TO_TXN, END_TXN, DESCRIBE_CONFIGS, DESCRIBE_PRODUCERS = 24, 26, 32, 61

# The first version whose lengths are varints and whose structures end with tags.
FLEXIBLE = {
    **{PRODUCE: 9, FETCH: 12, LIST_OFFSETS: 6, METADATA: 9, FIND_COORDINATOR: 3},
    **{API_VERSIONS: 3, CREATE_TOPICS: 5, DELETE_TOPICS: 4, INIT_PRODUCER_ID: 2},
    **{ADD_PARTITIONS_TO_TXN: 3, END_TXN: 3, DESCRIBE_CONFIGS: 4, DESCRIBE_PRODUCERS: 0},
}


class Closed(Exception):
    """The broker closed the connection."""


# MARK: Bytes


def _crc_table():
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


_CRC = list(_crc_table())


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = _CRC[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def unsigned_varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def varint(number):
    return unsigned_varint((number << 1 ^ number >> 63) & (1 << 64) - 1)


class Writer:
    """Writes fields one after the other; `flexible` as the request's version has it."""

    def __init__(self, flexible):
        self.flexible = flexible
        self.data = bytearray()

    def put(self, layout, *values):
        self.data += struct.pack(">" + layout, *values)
        return self

    def _length(self, count, layout):
        if self.flexible:
            self.data += unsigned_varint(count + 1)
        else:
            self.put(layout, count)

    def text(self, value):
        data = None if value is None else value.encode()
        self._length(-1 if data is None else len(data), "h")
        self.data += data or b""
        return self

    def blob(self, value):
        self._length(-1 if value is None else len(value), "i")
        self.data += value or b""
        return self

    def array(self, items, write):
        self._length(-1 if items is None else len(items), "i")
        for item in items or []:
            write(self, item)
        return self

    def tags(self):
        if self.flexible:
            self.data += b"\0"
        return self


class Reader:
    """Takes fields one after the other."""

    def __init__(self, data, flexible):
        self.data, self.at, self.flexible = data, 0, flexible

    def take(self, layout):
        values = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return values[0] if len(values) == 1 else values

    def unsigned_varint(self):
        value = shift = 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def raw(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def _length(self, layout):
        return self.unsigned_varint() - 1 if self.flexible else self.take(layout)

    def text(self):
        count = self._length("h")
        return None if count < 0 else self.raw(count).decode()

    def blob(self):
        count = self._length("i")
        return None if count < 0 else self.raw(count)

    def array(self, read):
        count = self._length("i")
        return None if count < 0 else [read(self) for _ in range(count)]

    def tags(self):
        """The tags that end a structure, by number."""
        found = {}
        if self.flexible:
            for _ in range(self.unsigned_varint()):
                number = self.unsigned_varint()
                found[number] = self.raw(self.unsigned_varint())
        return found


# MARK: Record batches

Batch = collections.namedtuple(
    "Batch", "base attributes last_delta max_timestamp pid epoch sequence count"
)


def batch(
    records=(b"v",),
    key=b"k",
    pid=-1,
    epoch=-1,
    sequence=-1,
    transactional=False,
    control=False,
    codec=0,
    timestamp=None,
    magic=2,
    base=0,
    count=None,
    last_delta=None,
    crc=None,
    flip=False,
):
    """A record batch of the values `records`; the arguments from `magic` on let it lie."""
    timestamp = int(time.time() * 1000) if timestamp is None else timestamp
    body = b"".join(_record(number, key, value) for number, value in enumerate(records))
    if codec == 1:
        packer = zlib.compressobj(wbits=31)
        body = packer.compress(body) + packer.flush()
    attributes = codec | (0x10 if transactional else 0) | (0x20 if control else 0)
    covered = struct.pack(
        ">hiqqqhii",
        *(attributes, len(records) - 1 if last_delta is None else last_delta),
        *(timestamp, timestamp, pid, epoch, sequence),
        len(records) if count is None else count,
    )
    covered += body
    checksum = crc32c(covered) if crc is None else crc
    if flip:
        covered = covered[:-1] + bytes([covered[-1] ^ 1])
    rest = struct.pack(">ibI", -1, magic, checksum) + covered
    return struct.pack(">qi", base, len(rest)) + rest


def _record(number, key, value):
    body = b"\0" + varint(0) + varint(number)
    for field in (key, value):
        body += varint(-1) if field is None else varint(len(field)) + field
    body += varint(0)
    return varint(len(body)) + body


def batches(data):
    """The headers of the whole batches in `data`."""
    found, at = [], 0
    while len(data) - at >= 61:
        base, length = struct.unpack_from(">qi", data, at)
        if len(data) - at < 12 + length:
            break
        attributes, last_delta, _, newest, pid, epoch, sequence, count = struct.unpack_from(
            ">hiqqqhii", data, at + 21
        )
        found.append(Batch(base, attributes, last_delta, newest, pid, epoch, sequence, count))
        at += 12 + length
    return found


def put_number(out, number):
    out.put("i", number)


# MARK: The client

Produced = collections.namedtuple(
    "Produced", "error base append_time start record_errors message leader"
)
Fetched = collections.namedtuple("Fetched", "error end stable_end start aborted data")
Identity = collections.namedtuple("Identity", "error pid epoch")


class Client:
    """One connection; a request is sent and its answer read, unless said otherwise."""

    def __init__(self, address, timeout=10.0):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, api, version, body):
        self.correlation += 1
        header = Writer(False).put("hhi", api, version, self.correlation).text("wire")
        header.flexible = version >= FLEXIBLE.get(api, 1 << 15)
        frame = header.tags().data + body
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        return self.correlation

    def receive(self, api, version):
        """The next answer, and which request it belongs to."""
        reader = Reader(self._exactly(struct.unpack(">i", self._exactly(4))[0]), False)
        correlation = reader.take("i")
        reader.flexible = version >= FLEXIBLE.get(api, 1 << 15)
        if api != API_VERSIONS:
            reader.tags()
        return correlation, reader

    def ask(self, api, version, body):
        sent = self.send(api, version, body)
        correlation, reader = self.receive(api, version)
        assert correlation == sent, f"the answer to {correlation} came, not to {sent}"
        return reader

    def _exactly(self, count):
        data = bytearray()
        while len(data) < count:
            part = self.socket.recv(min(1 << 20, count - len(data)))
            if not part:
                raise Closed
            data += part
        return bytes(data)

    def is_silent(self, seconds=0.3):
        """Whether nothing comes, and the connection stays open."""
        self.socket.settimeout(seconds)
        try:
            return None if self.socket.recv(1) == b"" else False
        except socket.timeout:
            return True

    # MARK: Requests

    def api_versions(self, version=3):
        body = Writer(version >= 3)
        if version >= 3:
            body.text("wire").text("1").tags()
        reader = self.ask(API_VERSIONS, version, body.data)
        error = reader.take("h")
        if error == 35:
            reader.flexible = False

        def row(each):
            key, *range_ = each.take("hhh")
            each.tags()
            return key, tuple(range_)

        known = dict(reader.array(row))
        if version >= 1 and error == 0:
            reader.take("i")
        return error, known, reader.tags() if error == 0 else {}

    def metadata(self, topics=None, create=False, version=8):
        """Brokers by id, and topics by name: an error and {partition: (error, leader)}."""
        body = Writer(False).array(topics, lambda out, name: out.text(name))
        body.put("???", create, False, False)
        reader = self.ask(METADATA, version, body.data)
        reader.take("i")

        def broker(each):
            number, host, port = each.take("i"), each.text(), each.take("i")
            each.text()
            return number, f"{host}:{port}"

        def partition(each):
            error, number, leader, _ = each.take("hiii")
            for _ in range(3):
                each.array(lambda replica: replica.take("i"))
            return number, (error, leader)

        def topic(each):
            error, name, _ = each.take("h"), each.text(), each.take("?")
            partitions = dict(each.array(partition))
            each.take("i")
            return name, (error, partitions)

        brokers = dict(reader.array(broker))
        reader.text(), reader.take("i")
        return brokers, dict(reader.array(topic))

    def create_topic(self, name, partitions=1, **configs):
        def topic(out, _):
            out.text(name).put("ih", partitions, -1).put("i", 0)
            out.array(list(configs.items()), lambda row, pair: row.text(pair[0]).text(pair[1]))

        body = Writer(False).array([0], topic).put("i?", 10000, False)
        reader = self.ask(CREATE_TOPICS, 4, body.data)
        reader.take("i"), reader.take("i"), reader.text()
        return reader.take("h")

    def delete_topic(self, name):
        body = Writer(False).array([name], lambda out, each: out.text(each)).put("i", 10000)
        reader = self.ask(DELETE_TOPICS, 1, body.data)
        reader.take("ii"), reader.text()
        return reader.take("h")

    def topic_id(self, name):
        """The sixteen bytes by which Produce 13 names a topic."""
        body = Writer(True)
        body.array([name], lambda out, each: out.put("qq", 0, 0).text(each).tags())
        reader = self.ask(METADATA, 12, body.put("??", False, False).tags().data)
        reader.take("i")

        def broker(each):
            each.take("i"), each.text(), each.take("i"), each.text(), each.tags()

        reader.array(broker)
        reader.text(), reader.take("i"), reader.unsigned_varint(), reader.take("h"), reader.text()
        return reader.raw(16)

    def init_producer_id(self, name=None, timeout=60000, pid=-1, epoch=-1, version=4):
        body = Writer(version >= 2).text(name).put("i", timeout)
        if version >= 3:
            body.put("qh", pid, epoch)
        reader = self.ask(INIT_PRODUCER_ID, version, body.tags().data)
        reader.take("i")
        return Identity(*reader.take("hqh"))

    def find_coordinator(self, key, kind=1):
        reader = self.ask(FIND_COORDINATOR, 1, Writer(False).text(key).put("b", kind).data)
        reader.take("i")
        error, _ = reader.take("h"), reader.text()
        node, host, port = reader.take("i"), reader.text(), reader.take("i")
        return error, node, f"{host}:{port}"

    def send_produce(self, topics, acks=-1, name=None, version=8):
        """Sends {topic: {partition: records}} and returns the number of the request."""

        def partition(out, item):
            out.put("i", item[0]).blob(item[1]).tags()

        def topic(out, item):
            if version >= 13:
                out.data += item[0]
            else:
                out.text(item[0])
            out.array(list(item[1].items()), partition).tags()

        body = Writer(version >= 9).text(name).put("hi", acks, 10000)
        body.array(list(topics.items()), topic).tags()
        return self.send(PRODUCE, version, body.data)

    def produced(self, version=8):
        """The next answer to a produce request: its number, and {topic: {partition: …}}."""
        correlation, reader = self.receive(PRODUCE, version)

        def fault(each):
            found = each.take("i"), each.text()
            each.tags()
            return found

        def partition(each):
            number, error, base, stamp = each.take("ihqq")
            start = each.take("q") if version >= 5 else -1
            faults, message = (each.array(fault), each.text()) if version >= 8 else ([], None)
            tags = each.tags()
            leader = struct.unpack_from(">ii", tags[0]) if 0 in tags else None
            return number, Produced(error, base, stamp, start, faults, message, leader)

        def topic(each):
            found = each.raw(16) if version >= 13 else each.text(), dict(each.array(partition))
            each.tags()
            return found

        return correlation, dict(reader.array(topic))

    def produce(self, topic, partition, records, acks=-1, name=None, version=8):
        self.send_produce({topic: {partition: records}}, acks, name, version)
        return self.produced(version)[1][topic][partition]

    def add_partitions(self, name, identity, topic, partitions, version=2):
        def each_topic(out, _):
            out.text(topic).array(partitions, put_number).tags()

        body = Writer(version >= 3).text(name).put("qh", identity.pid, identity.epoch)
        body.array([0], each_topic).tags()
        reader = self.ask(ADD_PARTITIONS_TO_TXN, version, body.data)
        reader.take("i")

        def row(each):
            found = each.take("ih")
            each.tags()
            return found

        return dict(reader.array(lambda each: (each.text(), each.array(row), each.tags()))[0][1])

    def end_transaction(self, name, identity, commit, version=2):
        """The error; from version 5 on the identity to go on with."""
        body = Writer(version >= 3).text(name)
        body.put("qh?", identity.pid, identity.epoch, commit).tags()
        reader = self.ask(END_TXN, version, body.data)
        reader.take("i")
        return Identity(*reader.take("hqh")) if version >= 5 else reader.take("h")

    def list_offset(self, topic, partition, timestamp=-1, committed=False):
        """Error, timestamp and offset."""
        body = Writer(False).put("ib", -1, committed)
        body.array([0], lambda out, _: out.text(topic).put("iiq", 1, partition, timestamp))
        reader = self.ask(LIST_OFFSETS, 2, body.data)
        reader.take("ii"), reader.text(), reader.take("ii")
        return reader.take("hqq")

    def fetch(self, topic, partition, offset=0, committed=False, wait=200):
        body = Writer(False).put("iiiibii", -1, wait, 1, 64 << 20, committed, 0, -1)

        def each_topic(out, _):
            out.text(topic).put("iiiqqi", 1, partition, -1, offset, -1, 64 << 20)

        body.array([0], each_topic).put("i", 0).text("")
        reader = self.ask(FETCH, 11, body.data)
        reader.take("ihi"), reader.take("i"), reader.text(), reader.take("ii")
        error, end, stable_end, start = reader.take("hqqq")
        aborted = reader.array(lambda each: each.take("qq"))
        reader.take("i")
        return Fetched(error, end, stable_end, start, aborted, reader.blob() or b"")

    def describe_producers(self, topic, partition):
        """{producer id: (epoch, last sequence, start of the open transaction)}"""
        body = Writer(True)
        body.array([0], lambda out, _: out.text(topic).array([partition], put_number).tags()).tags()
        reader = self.ask(DESCRIBE_PRODUCERS, 0, body.data)

        def producer(each):
            pid, epoch, sequence, _, _, start = each.take("qiiqiq")
            each.tags()
            return pid, (epoch, sequence, start)

        def row(each):
            found = each.take("ih"), each.text(), dict(each.array(producer))
            each.tags()
            return found[2]

        reader.take("i")
        return reader.array(lambda each: (each.text(), each.array(row), each.tags()))[0][1][0]

    def describe_topic(self, topic):
        """{setting: (value, where it comes from)}"""
        body = Writer(False).array([0], lambda out, _: out.put("b", 2).text(topic).put("i", -1))
        reader = self.ask(DESCRIBE_CONFIGS, 1, body.put("?", False).data)
        reader.take("ii")
        error, _ = reader.take("h"), reader.text()
        reader.take("b"), reader.text()

        def row(each):
            name, value, (_, source, _) = each.text(), each.text(), each.take("?b?")
            each.array(lambda synonym: (synonym.text(), synonym.text(), synonym.take("b")))
            return name, (value, source)

        return error, dict(reader.array(row))
