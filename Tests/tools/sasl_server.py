"""The broker's side of SASL, for FaultProxy: so that Forktail can log in before a broker that knows
no SASL."""

import base64
import hashlib
import hmac
import os
import struct
import time

SASL_HANDSHAKE = 17
API_VERSIONS = 18
SASL_AUTHENTICATE = 36

_UNSUPPORTED_MECHANISM = 33
_FAILED = 58


class SaslServer:
    """One connection's login. Answers a frame with a frame; None for those that are for the broker."""

    def __init__(self, users, tokens=(), mechanisms=None, session=None):
        self.users = users
        self.tokens = tokens
        self.mechanisms = mechanisms or ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
        self.session = session
        self.logins = 0
        self._exchange = None
        self._end = 0.0

    @property
    def is_logged_in(self):
        return self._exchange is None and self.logins > 0 and time.monotonic() < self._end

    def answer(self, frame):
        api, version, correlation = struct.unpack_from(">hhi", frame, 4)
        (size,) = struct.unpack_from(">h", frame, 12)
        body = frame[14 + max(0, size) :]
        if api == SASL_HANDSHAKE:
            answer = self._handshake(body)
        elif api == SASL_AUTHENTICATE:
            answer = self._authenticate(body, version)
        else:
            return None
        tags = b"\0" if api == SASL_AUTHENTICATE and version >= 2 else b""
        answer = struct.pack(">i", correlation) + tags + answer + tags
        return struct.pack(">i", len(answer)) + answer

    def _handshake(self, body):
        (size,) = struct.unpack_from(">h", body)
        mechanism = body[2 : 2 + size].decode()
        is_known = mechanism in self.mechanisms
        self._exchange = self._steps(mechanism) if is_known else None
        if is_known:
            next(self._exchange)
        names = b"".join(struct.pack(">h", len(n)) + n.encode() for n in self.mechanisms)
        error = 0 if is_known else _UNSUPPORTED_MECHANISM
        return struct.pack(">hi", error, len(self.mechanisms)) + names

    def _authenticate(self, body, version):
        if version >= 2:
            size, at = _varint(body, 1)  # behind the header's tags
            data = body[at : at + size - 1]
        else:
            (size,) = struct.unpack_from(">i", body)
            data = body[4 : 4 + size]
        error, message, reply = 0, None, b""
        try:
            reply = self._exchange.send(data)
        except StopIteration as end:
            self._exchange = None
            reply = end.value
            if reply is None:
                error, message, reply = _FAILED, b"Authentication failed", b""
                self.logins = 0
            else:
                self.logins += 1
                self._end = time.monotonic() + (self.session or 1e9)
        lifetime = int((self.session or 0) * 1000) if error == 0 and self._exchange is None else 0
        if version >= 2:
            text = b"\0" if message is None else _length(len(message)) + message
            return struct.pack(">h", error) + text + _length(len(reply)) + reply + struct.pack(">q", lifetime)
        text = struct.pack(">h", -1) if message is None else struct.pack(">h", len(message)) + message
        answer = struct.pack(">h", error) + text + struct.pack(">i", len(reply)) + reply
        return answer + (struct.pack(">q", lifetime) if version >= 1 else b"")

    def _steps(self, mechanism):
        """A generator that takes the client's messages; returns the last answer, None to refuse."""
        first = yield
        if mechanism == "PLAIN":
            _, name, password = first.decode().split("\0")
            return b"" if self.users.get(name) == password else None
        if mechanism == "OAUTHBEARER":
            token = next(p[12:] for p in first.decode().split("\1") if p.startswith("auth=Bearer "))
            if token in self.tokens:
                return b""
            yield b'{"status":"invalid_token"}'
            return None
        return (yield from self._scram(mechanism, first.decode()))

    def _scram(self, mechanism, first):
        algorithm = "sha256" if mechanism == "SCRAM-SHA-256" else "sha512"
        bare = first[3:]
        fields = dict(part.split("=", 1) for part in bare.split(","))
        name = fields["n"].replace("=2C", ",").replace("=3D", "=")
        if name not in self.users:
            return None
        salt, nonce = os.urandom(16), fields["r"] + base64.b64encode(os.urandom(12)).decode()
        challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i=4096"
        last = (yield challenge.encode()).decode()
        without_proof, proof = last.rsplit(",p=", 1)
        if without_proof != f"c=biws,r={nonce}":
            return None
        signed = ",".join([bare, challenge, without_proof]).encode()
        salted = hashlib.pbkdf2_hmac(algorithm, self.users[name].encode(), salt, 4096)
        stored = hashlib.new(algorithm, hmac.digest(salted, b"Client Key", algorithm)).digest()
        signature = hmac.digest(stored, signed, algorithm)
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature))
        if hashlib.new(algorithm, key).digest() != stored:
            return None
        server_key = hmac.digest(salted, b"Server Key", algorithm)
        return b"v=" + base64.b64encode(hmac.digest(server_key, signed, algorithm))


def _varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def _length(size):
    value, data = size + 1, bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)
