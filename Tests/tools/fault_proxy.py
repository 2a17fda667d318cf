"""A proxy between a Kafka client and a one-node broker that loses answers, cuts and stalls.

It reads frames, so a fault hits a whole answer, and it names itself as the broker in Metadata
answers, so clients stay on it.

    with FaultProxy(bootstrap) as proxy:
        proxy.lose_answers(PRODUCE, 3)

With `tls`, an ssl.SSLContext, clients have to encrypt; with `sasl`, which makes a SaslServer, they
have to log in. The broker behind needs to know neither.
"""

import asyncio
import struct
import threading
import time
from collections import Counter, deque

from sasl_server import API_VERSIONS

PRODUCE = 0
METADATA = 3


class FaultProxy:
    def __init__(self, upstream, tls=None, sasl=None):
        self._tls = tls
        self._sasl = sasl
        self.logins = 0
        host, port = upstream.rsplit(":", 1)
        self._upstream = (host, int(port))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open = set()
        self._to_lose = Counter()
        self._to_swallow = Counter()
        self._to_hang = Counter()
        self._to_double = Counter()
        self._to_delay_past_end = deque()
        self._to_fail = deque()
        self._bytes_to_cut = None
        self._delay = 0
        self._late = 0
        self._is_refusing = False
        self.requests = Counter()
        self.lost = Counter()
        self.doubled = Counter()
        self.cuts = 0

    def __enter__(self):
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_):
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def is_busy(self):
        """Whether a request is still on its way whose connection has ended."""
        return self._late > 0

    # MARK: Faults

    def lose_answers(self, api, count):
        """The next answers of this kind are not passed on: the connection is cut instead."""
        self._loop.call_soon_threadsafe(self._to_lose.update, {api: count})

    def swallow_answers(self, api, count):
        """The next answers of this kind are left out; those behind them are passed on."""
        self._loop.call_soon_threadsafe(self._to_swallow.update, {api: count})

    def hang(self, api, count=1):
        """From the next answer of this kind on, its connection is silent and stays open."""
        self._loop.call_soon_threadsafe(self._to_hang.update, {api: count})

    def double_requests(self, api, count):
        """The next requests of this kind reach the broker twice."""
        self._loop.call_soon_threadsafe(self._to_double.update, {api: count})

    def fail_answers(self, code, count):
        """The next answers to Produce carry this error instead of what became of the batch."""
        self._loop.call_soon_threadsafe(self._to_fail.extend, [code] * count)

    def pass_late(self, seconds):
        """The next request with records comes to the broker after its connection's end."""
        self._loop.call_soon_threadsafe(self._to_delay_past_end.append, seconds)

    def cut_after(self, count):
        """Resets the connection that has carried so many bytes of requests, within a frame."""
        self._bytes_to_cut = count

    def delay(self, seconds):
        """Each answer takes so much longer."""
        self._delay = seconds

    def cut(self):
        """Closes every connection, in the middle of what it carries."""
        self._call(self._cut())

    def hold(self):
        """Nothing passes from now on, in either direction."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def release(self):
        """What was held goes on its way."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def stall(self, seconds):
        """Nothing passes for a while."""
        self.hold()
        time.sleep(seconds)
        self.release()

    def refuse(self, seconds):
        """Cuts, and for a while closes every new connection at once."""
        self._call(self._refuse(seconds))

    # MARK: On the loop

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def _listen(self):
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.bootstrap = f"127.0.0.1:{self.port}"

    async def _close(self):
        self._server.close()
        await self._cut()
        await asyncio.sleep(0.05)

    async def _cut(self):
        self.cuts += len(self._open)
        for writers in list(self._open):
            for writer in writers:
                writer.transport.abort()

    async def _refuse(self, seconds):
        self._is_refusing = True
        await self._cut()
        await asyncio.sleep(seconds)
        self._is_refusing = False

    async def _accept(self, client_reader, client_writer):
        if self._is_refusing:
            client_writer.transport.abort()
            return
        try:
            broker_reader, broker_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            client_writer.transport.abort()
            return
        writers = (client_writer, broker_writer)
        self._open.add(writers)
        asked = deque()
        requests = self._pass_requests(client_reader, client_writer, broker_writer, asked)
        flows = [
            asyncio.ensure_future(requests),
            asyncio.ensure_future(self._pass_answers(broker_reader, client_writer, asked)),
        ]
        await asyncio.wait(flows, return_when=asyncio.FIRST_COMPLETED)
        for flow in flows:
            flow.cancel()
        await asyncio.gather(*flows, return_exceptions=True)
        self._open.discard(writers)
        for writer in writers:
            writer.transport.abort()

    async def _pass_requests(self, reader, client, writer, asked):
        login = self._sasl() if self._sasl else None
        while True:
            frame = await self._frame(reader)
            api, version = struct.unpack_from(">hh", frame, 4)
            self.requests[api] += 1
            if login:
                before = login.logins
                answer = login.answer(frame)
                self.logins += max(0, login.logins - before)
                if answer is not None:
                    # Answers keep the order of the requests, these like any other.
                    while asked:
                        await asyncio.sleep(0.001)
                    client.write(answer)
                    await client.drain()
                    continue
                if api != API_VERSIONS and not login.is_logged_in:
                    return
            if self._bytes_to_cut is not None:
                self._bytes_to_cut -= len(frame)
                if self._bytes_to_cut < 0:
                    writer.write(frame[: self._bytes_to_cut])
                    await writer.drain()
                    self._bytes_to_cut = None
                    self.cuts += 1
                    return
            if api == PRODUCE and self._to_delay_past_end:
                await self._pass_late(frame, client, writer)
                return
            asked.append((api, version, False))
            writer.write(frame)
            if self._to_double[api] > 0:
                self._to_double[api] -= 1
                self.doubled[api] += 1
                asked.append((api, version, True))
                writer.write(frame)
            await writer.drain()

    async def _pass_late(self, frame, client, writer):
        self.cuts += 1
        self._late += 1
        client.transport.abort()
        await asyncio.sleep(self._to_delay_past_end.popleft())
        writer.write(frame)
        await writer.drain()
        # The broker reads it before its connection ends.
        await asyncio.sleep(0.2)
        self._late -= 1

    async def _pass_answers(self, reader, writer, asked):
        while True:
            frame = await self._frame(reader)
            # A broker answers one connection's requests in their order.
            api, version, is_copy = asked.popleft()
            if is_copy:
                continue
            if self._delay:
                await asyncio.sleep(self._delay)
            if self._to_swallow[api] > 0:
                self._to_swallow[api] -= 1
                self.lost[api] += 1
                continue
            if self._to_hang[api] > 0:
                self._to_hang[api] -= 1
                self.lost[api] += 1
                await asyncio.Event().wait()
            if self._to_lose[api] > 0:
                self._to_lose[api] -= 1
                self.lost[api] += 1
                return
            if api == METADATA:
                frame = with_port(frame, version, self.port)
            if api == PRODUCE and self._to_fail:
                frame = with_error(frame, version, self._to_fail.popleft())
                self.lost[api] += 1
            writer.write(frame)
            await writer.drain()

    async def _frame(self, reader):
        size = await reader.readexactly(4)
        body = await reader.readexactly(struct.unpack(">i", size)[0])
        await self._flowing.wait()
        return size + body


def with_port(frame, version, port):
    """A Metadata answer in which each broker has this port."""
    answer = bytearray(frame)
    is_flexible = version >= 9
    at = 8 + is_flexible + (4 if version >= 3 else 0)
    count, at = _length(answer, at, is_flexible, 4)
    for _ in range(count):
        size, at = _length(answer, at + 4, is_flexible, 2)
        at += size
        struct.pack_into(">i", answer, at, port)
        at += 4
        if version >= 1:
            size, at = _length(answer, at, is_flexible, 2)
            at += max(0, size)
        if is_flexible:
            at += 1  # No broker here puts tagged fields into it.
    return bytes(answer)


def with_error(frame, version, code):
    """An answer to Produce in which each partition has this error."""
    answer = bytearray(frame)
    is_flexible = version >= 9
    topics, at = _length(answer, 8 + is_flexible, is_flexible, 4)
    for _ in range(topics):
        size, at = _length(answer, at, is_flexible, 2)
        partitions, at = _length(answer, at + size, is_flexible, 4)
        if partitions != 1:
            raise ValueError("only answers about one partition are changed")
        struct.pack_into(">hq", answer, at + 4, code, -1)
        return bytes(answer)


def _length(data, at, is_flexible, width):
    """A length and where it ends: a fixed integer, or a variable one that is one too large."""
    if not is_flexible:
        return int.from_bytes(data[at : at + width], "big", signed=True), at + width
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value - 1, at
