#!/usr/bin/env python3
"""Every broker with every codec and every kind of security: the same records come back.

    Tests/interop/matrix.py [--records N] [forktail|noida]…

Prints how many of the combinations pass, by broker and security. Before noida-db, which knows
neither TLS nor SASL, stands a proxy that does.
"""

import argparse
import contextlib
import pathlib
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit
from fault_proxy import FaultProxy
from sasl_server import SaslServer

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PASSWORD = "p,=w 7$ü"
TOKEN = "token-1"


def securities(pki):
    """Each name with the producer's properties."""
    tls = {"ssl.ca.location": pki / "ca.pem"}
    user = {"sasl.username": "alice", "sasl.password": PASSWORD}
    yield "plaintext", {}
    yield "TLS", {"security.protocol": "SSL", **tls}
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]:
        for protocol, more in [("SASL_PLAINTEXT", {}), ("SASL_SSL", tls)]:
            name = mechanism + (" over TLS" if more else "")
            yield name, {"security.protocol": protocol, "sasl.mechanism": mechanism, **user, **more}
    yield (
        "OAUTHBEARER over TLS",
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.oauthbearer.token.file": pki / "token",
            **tls,
        },
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("brokers", nargs="*", default=["forktail", "noida"])
    options = parser.parse_args()
    checks = kit.Checks()
    with kit.temporary_folder("matrix") as pki:
        subprocess.run([kit.TOOLS / "setup", "openssl"], check=True)
        subprocess.run([kit.TOOLS / "certificates", pki], check=True)
        (pki / "token").write_text(TOKEN + "\n")
        passed, tried = 0, 0
        for kind in options.brokers:
            for name, properties in securities(pki):
                outcomes = {}
                with checks.group(f"{name} to {kind}"):
                    outcomes = combination(kind, pki, properties, options.records)
                good = [codec for codec in CODECS if outcomes.get(codec) == "ok"]
                checks.that(
                    f"{kind}, {name}: {len(good)} of {len(CODECS)} codecs",
                    len(good) == len(CODECS),
                    {codec: found for codec, found in outcomes.items() if found != "ok"},
                )
                passed, tried = passed + len(good), tried + len(CODECS)
    print(f"{passed} of {tried} combinations of broker, security and codec")
    checks.finish()


def combination(kind, pki, properties, count):
    """What became of each codec."""
    texts = {name: str(value) for name, value in properties.items()}
    with place(kind, pki, properties.get("security.protocol", "")) as (door, bootstrap):
        reader = {}
        if kind == "forktail":
            # It has the one door, and makes topics that are written to.
            reader = {n: v for n, v in texts.items() if "oauthbearer" not in n}
            if properties.get("sasl.mechanism") == "OAUTHBEARER":
                reader["oauth_cb"] = lambda _: (TOKEN, 4e9)
        else:
            kit.create_topics(bootstrap, {f"codec-{codec}": 1 for codec in CODECS})
        with ThreadPoolExecutor() as pool:
            ship = partial(shipped, door, bootstrap, texts, reader, count)
            return dict(zip(CODECS, pool.map(ship, CODECS)))


@contextlib.contextmanager
def place(kind, pki, protocol):
    """Where Forktail writes to, and where it is read from."""
    has_tls, has_sasl = protocol.endswith("SSL"), protocol.startswith("SASL")
    if kind == "forktail":
        options = []
        if has_tls:
            options += ["--tls-cert", pki / "server.pem", "--tls-key", pki / "server.key"]
        if has_sasl:
            options += ["--sasl-user", f"alice:{PASSWORD}", "--sasl-token", TOKEN]
        with kit.broker(kind, 1, options=options) as bootstrap:
            yield bootstrap, bootstrap
        return
    context = None
    if has_tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / "server.pem", pki / "server.key")
    sasl = partial(SaslServer, {"alice": PASSWORD}, [TOKEN], session=60) if has_sasl else None
    with kit.broker(kind) as upstream, FaultProxy(upstream, tls=context, sasl=sasl) as proxy:
        yield proxy.bootstrap, upstream


def shipped(door, bootstrap, properties, reader, count, codec):
    """ok, or what went wrong."""
    topic = f"codec-{codec}"
    lines = [f"{n} {n * 7919} some text of a line" for n in range(count)]
    settings = {**properties, "compression.type": codec, "batch.size": 16384}
    result = subprocess.run(
        [
            *(str(kit.FORKTAIL), "produce", "-t", topic, "-b", door, "-q"),
            *(word for name, value in settings.items() for word in ("-X", f"{name}={value}")),
        ],
        input="".join(f"{line}\n" for line in lines).encode(),
        capture_output=True,
        timeout=60,
    )
    if result.returncode != 0:
        return f"ends with {result.returncode}: {result.stderr.decode()[-300:]}"
    found = [m.value().decode() for m in kit.read(bootstrap, [topic], properties=reader)]
    return "ok" if found == lines else f"{len(found)} records, {len(set(found))} different"


if __name__ == "__main__":
    main()
