#!/usr/bin/env python3
"""TLS and SASL, each side checked by one that others wrote.

Forktail ships to its embedded broker with every kind of security, librdkafka writes to the same
broker and reads from it, and Forktail ships to noida-db through a proxy that does TLS and SASL.

    Tests/interop/security.py [broker|errors|token|reload|noida]…
"""

import base64
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import threading
import urllib.parse
from collections import Counter
from functools import partial

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit
from fault_proxy import PRODUCE, FaultProxy
from sasl_server import SaslServer

PASSWORD = "p,=w 7$ü"
TOKEN = "token-1"

PIPELINE = """
from "none.log"

parse regex('^(?<text>.*)$') {
  text: string
}

send {
  topic = "secure"
  value = @raw
}

on error stop
"""

SCRAM_USER = ["--sasl-user", f"alice:{PASSWORD}"]
USER = {"sasl.username": "alice", "sasl.password": PASSWORD}


def main():
    checks = kit.Checks()
    parts = {"broker": brokers, "errors": errors, "token": tokens, "reload": reload, "noida": noida}
    with kit.temporary_folder("security") as folder:
        subprocess.run([kit.TOOLS / "setup", "openssl"], check=True)
        subprocess.run([kit.TOOLS / "certificates", folder], check=True)
        (folder / "secure.pipeline").write_text(PIPELINE)
        for name in sys.argv[1:] or parts:
            with checks.group(name):
                parts[name](checks, folder)
    checks.finish()


# MARK: The embedded broker, with both producers


def modes(pki):
    """Name, options of the broker, properties of both clients."""
    server = ["--tls-cert", pki / "server.pem", "--tls-key", pki / "server.key"]
    tls = {"security.protocol": "SSL", "ssl.ca.location": pki / "ca.pem"}
    mutual = {"ssl.certificate.location": pki / "client.pem"}
    yield "TLS 1.2", [*server, "--tls-version", "TLSv1.2"], tls
    yield "TLS 1.3", [*server, "--tls-version", "TLSv1.3"], tls
    yield (
        "mutual TLS",
        [*server, "--tls-client-ca", pki / "ca.pem"],
        {**tls, **mutual, "ssl.key.location": pki / "client.key"},
    )
    yield (
        "mutual TLS with an encrypted key",
        [*server, "--tls-client-ca", pki / "ca.pem"],
        {
            **tls,
            **mutual,
            "ssl.key.location": pki / "client-encrypted.key",
            "ssl.key.password": "key password",
        },
    )
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]:
        sasl = {"sasl.mechanism": mechanism, **USER}
        plain = {"security.protocol": "SASL_PLAINTEXT"}
        yield mechanism, SCRAM_USER, {**plain, **sasl}
        yield (
            f"{mechanism} over TLS",
            [*server, *SCRAM_USER],
            {**tls, **sasl, "security.protocol": "SASL_SSL"},
        )
    yield (
        "SCRAM-SHA-256 with sessions of a second",
        [*SCRAM_USER, "--sasl-session", "1s"],
        {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-256", **USER},
    )
    yield (
        "OAUTHBEARER",
        [*server, "--sasl-token", TOKEN],
        {**tls, "security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"},
    )


def brokers(checks, pki):
    (pki / "token").write_text(TOKEN + "\n")
    for name, options, properties in modes(pki):
        with checks.group(name), kit.broker("forktail", 1, options=options) as bootstrap:
            ours, theirs = dict(properties), dict(properties)
            if properties.get("sasl.mechanism") == "OAUTHBEARER":
                ours["sasl.oauthbearer.token.file"] = pki / "token"
                theirs["oauth_cb"] = lambda _: (TOKEN, 4e9)
            lines = [f"{name} {n}" for n in range(2000)]
            result = backfill(pki, bootstrap, ours, lines)
            checks.that(f"{name}: forktail ships", result.returncode == 0, result.stderr[-600:])
            more = [f"{name} from librdkafka {n}" for n in range(200)]
            librdkafka_sends(bootstrap, theirs, more)
            found = list(librdkafka_reads(bootstrap, theirs))
            checks.that(
                f"{name}: librdkafka reads what both sent, in order",
                found == lines + more,
                f"{len(found)} records, {Counter(found).most_common(1)}",
            )


def backfill(folder, bootstrap, properties, lines, *more, **options):
    source = folder / "lines.log"
    source.write_text("".join(f"{line}\n" for line in lines))
    shutil.rmtree(folder / "state", ignore_errors=True)
    command = ["backfill", folder / "secure.pipeline", source, "-b", bootstrap]
    command += ["--state-dir", folder / "state", "--progress", "none", "--yes", *more]
    for name, value in properties.items():
        command += ["-X", f"{name}={value}"]
    return kit.forktail(*command, **options)


def librdkafka_sends(bootstrap, properties, lines):
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 3, **texts(properties)})
    for line in lines:
        producer.produce("secure", line.encode())
    left = producer.flush(20)
    if left:
        raise kit.Failure(f"librdkafka could not send {left} records")


def librdkafka_reads(bootstrap, properties):
    for message in kit.read(bootstrap, ["secure"], properties=texts(properties)):
        yield message.value().decode()


def texts(properties):
    return {n: str(v) if isinstance(v, pathlib.Path) else v for n, v in properties.items()}


# MARK: Errors, secrets and exit codes


def errors(checks, pki):
    server = ["--tls-cert", pki / "server.pem", "--tls-key", pki / "server.key"]
    plain = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}
    wrong = {**plain, "sasl.username": "alice", "sasl.password": "guess-hunter2"}
    cases = [
        ("a wrong password", SCRAM_USER, wrong, 'the broker refused user "alice" (PLAIN)'),
        (
            "a mechanism that is not offered",
            [*SCRAM_USER, "--sasl-mechanism", "SCRAM-SHA-256"],
            wrong,
            "it offers SCRAM-SHA-256",
        ),
        (
            "a certificate of a stranger",
            server,
            {"security.protocol": "SSL", "ssl.ca.location": pki / "renewed-ca.pem"},
            "not signed by whom ssl.ca.location trusts",
        ),
        (
            "a certificate that the system does not trust",
            server,
            {"security.protocol": "SSL"},
            "not signed by whom ssl.ca.location trusts",
        ),
    ]
    for name, options, properties, text in cases:
        with kit.broker("forktail", 1, options=options) as bootstrap:
            result = backfill(pki, bootstrap, properties, ["x"], "--connect-timeout", "2s")
            said = result.stdout + result.stderr
            checks.that(
                f"{name} ends a one-shot with 77 and its reason",
                result.returncode == 77 and text in said and "hunter2" not in said,
                f"{result.returncode} {said[-600:]}",
            )
    with kit.broker("forktail", 1, options=SCRAM_USER) as bootstrap:
        (pki / "password").write_text(PASSWORD + "\n")
        for kind, value in [("file", pki / "password"), ("env", "KAFKA_PASSWORD")]:
            properties = {**plain, "sasl.username": "alice"}
            properties["sasl.password"] = f'secret.{kind}("{value}")'
            environment = {**os.environ, "KAFKA_PASSWORD": PASSWORD}
            result = backfill(pki, bootstrap, properties, ["x"], env=environment)
            checks.that(
                f"a password comes from secret.{kind}", result.returncode == 0, result.stderr[-600:]
            )
            checks.that(
                f"a password from secret.{kind} is shown nowhere",
                PASSWORD not in result.stdout + result.stderr,
            )
    result = backfill(pki, "127.0.0.1:1", {"security.protocol": "SASL_SSL"}, ["x"])
    checks.that(
        "a configuration without a mechanism ends with 78",
        result.returncode == 78 and "needs sasl.mechanism" in result.stderr,
        f"{result.returncode} {result.stderr[-300:]}",
    )


# MARK: Tokens of an endpoint


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Gives a token to the client "me" with the secret "s+1", in chunks as many servers do."""

    requests = []
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        expected = "Basic " + base64.b64encode(b"me:s+1").decode()
        is_good = self.headers["Authorization"] == expected and form == {
            "grant_type": ["client_credentials"],
            "scope": ["kafka write"],
        }
        Endpoint.requests.append(is_good)
        refusal = {"error": "invalid_client", "error_description": "no such client, or not s+2"}
        answer = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300}
        body = json.dumps(answer if is_good else refusal).encode()
        self.send_response(200 if is_good else 401)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (body[:9], body[9:], b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def endpoint(pki):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "server.pem", pki / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}/token?tenant=1"
    finally:
        server.shutdown()
        server.server_close()


def tokens(checks, pki):
    options = ["--sasl-token", TOKEN]
    with kit.broker("forktail", 1, options=options) as bootstrap, endpoint(pki) as address:
        properties = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.oauthbearer.token.endpoint.url": address,
            "sasl.oauthbearer.client.id": "me",
            "sasl.oauthbearer.client.secret": "s+1",
            "sasl.oauthbearer.scope": "kafka write",
            "https.ca.location": pki / "ca.pem",
        }
        result = backfill(pki, bootstrap, properties, ["x"])
        checks.that("a token of an endpoint logs in", result.returncode == 0, result.stderr[-600:])
        checks.equal("one token serves all connections", Endpoint.requests, [True])
        wrong = {**properties, "sasl.oauthbearer.client.secret": "s+2"}
        result = backfill(pki, bootstrap, wrong, ["x"], "--connect-timeout", "2s")
        checks.that(
            "an endpoint's refusal is shown, but not the secret in it",
            result.returncode == 77
            and "localhost gave no token, but 401: invalid_client, no such client" in result.stderr
            and "s+2" not in result.stderr,
            f"{result.returncode} {result.stderr[-600:]}",
        )
        asked = len(Endpoint.requests)
        stranger = {**properties, "https.ca.location": pki / "renewed-ca.pem"}
        result = backfill(pki, bootstrap, stranger, ["x"], "--connect-timeout", "2s")
        checks.that(
            "an endpoint with a stranger's certificate gets no secret",
            result.returncode == 77 and "not signed by whom https.ca.location" in result.stderr,
            f"{result.returncode} {result.stderr[-600:]}",
        )
        checks.equal("and is not even asked", len(Endpoint.requests), asked)


# MARK: Files that change under a service


def reload(checks, pki):
    files = {name: pki / f"current-{name}" for name in ["ca.pem", "server.pem", "server.key"]}
    for name, path in files.items():
        shutil.copy(pki / name, path)
    options = ["--tls-cert", files["server.pem"], "--tls-key", files["server.key"]]
    port, source = kit.free_port(), pki / "growing.log"
    source.write_text("before\n")
    pipeline = pki / "growing.pipeline"
    pipeline.write_text(PIPELINE.replace("none.log", str(source)))
    properties = ["-X", "security.protocol=SSL", "-X", f"ssl.ca.location={files['ca.pem']}"]
    arguments = [pipeline, "-b", f"127.0.0.1:{port}", "--state-dir", pki / "service", *properties]
    reader = {"security.protocol": "SSL", "ssl.ca.location": str(files["ca.pem"])}
    with kit.Service(pki / "service.log", *arguments, "--start", "beginning") as service:
        with kit.broker("forktail", 1, port, options=options) as bootstrap:
            found = kit.wait_until(lambda: values(bootstrap, reader))
            checks.equal("a service ships over TLS", found, ["before"])
        for name, new in [("ca.pem", "renewed-ca.pem"), ("server.pem", "renewed.pem"), ("server.key", "renewed.key")]:
            shutil.copy(pki / new, pki / "next")
            os.rename(pki / "next", files[name])
        with open(source, "a") as file:
            file.write("after\n")
        with kit.broker("forktail", 1, port, options=options) as bootstrap:
            found = kit.wait_until(lambda: values(bootstrap, reader))
            checks.equal("it takes renewed certificates without a restart", found, ["after"])
        checks.equal("the service ends with 0", service.terminate(), 0)


def values(bootstrap, properties):
    records = kit.read(bootstrap, ["secure"], properties=properties)
    return [message.value().decode() for message in records]


# MARK: A broker that others wrote, behind TLS and SASL


def noida(checks, pki):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "server.pem", pki / "server.key")
    sasl = partial(SaslServer, {"alice": PASSWORD}, [TOKEN], session=0.5)
    lines = [f"{n} {n * 7919}" for n in range(60_000)]
    with kit.broker("noida") as upstream:
        kit.create_topics(upstream, {"secure": 1})
        with FaultProxy(upstream, tls=context, sasl=sasl) as proxy:
            properties = {
                **{"security.protocol": "SASL_SSL", "ssl.ca.location": pki / "ca.pem"},
                **{"sasl.mechanism": "SCRAM-SHA-512", **USER},
                **{"batch.size": 8192, "max.request.size": 32768},
            }
            proxy.lose_answers(PRODUCE, 2)
            with slowness(proxy):
                result = backfill(pki, proxy.bootstrap, properties, lines)
            checks.that(
                "through TLS and SASL to noida: backfill ends with 0",
                result.returncode == 0,
                result.stderr[-600:],
            )
            checks.that("sessions were renewed", proxy.logins >= 5, f"{proxy.logins} logins")
        found = [message.value().decode() for message in kit.read(upstream, ["secure"])]
        checks.that(
            "through TLS and SASL to noida: none lost, none repeated, in order",
            found == lines,
            f"{len(found)} records, {len(set(found))} different",
        )


@contextlib.contextmanager
def slowness(proxy):
    """Holds the proxy up again and again, so that several sessions pass."""
    is_over = threading.Event()

    def run():
        while not is_over.wait(0.02):
            target = proxy.requests[PRODUCE] + 10
            kit.wait_until(lambda: is_over.is_set() or proxy.requests[PRODUCE] >= target, every=0.002)
            proxy.stall(0.1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


if __name__ == "__main__":
    main()
