#!/usr/bin/env python3
"""What `forktail check --kafka` says of topics, partitions and rights, and of clusters that are not there.

    Tests/commandline/check.py
"""

import json
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

PIPELINE = """
from "orders.csv"

parse csv {
  id:     int
  region: enum("eu", "us")
}

send {
  topic     = "orders.${region}"
  partition = 2
  value     = @raw
}

on error dead_letter "orders.dead"
"""

DENIED = """
from "orders.csv"
parse text
send { topic = "shut"    value = @raw }
send { topic = "unread"  value = @raw }
send { topic = "hidden"  value = @raw }
on error skip
"""

COMPUTED = """
from "orders.csv"
parse csv { shop: string }
send { topic = "shops.${shop}"  value = @raw }
on error skip
"""

DENIALS = ["write topic shut", "read topic unread", "describe topic hidden", "describe transactional-id shop"]


def check(bootstrap, *arguments):
    return kit.forktail("check", "--kafka", "-b", bootstrap, *arguments)


def codes(result):
    return sorted((d["code"], d["severity"]) for d in json.loads(result.stdout)["diagnostics"])


def topics_of(bootstrap):
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    return set(admin.list_topics(timeout=15).topics)


def topics_and_partitions(checks, folder, bootstrap):
    orders = folder / "orders.pipeline"
    result = check(bootstrap, orders)
    checks.that(
        "topics that are not there are errors, at the place that names them",
        result.returncode == 78
        and "error[E604]: there are no topics `orders.eu`, `orders.us`" in result.stderr
        and '10 |   topic     = "orders.${region}"' in result.stderr
        and "error[E604]: there is no topic `orders.dead`" in result.stderr
        and "ok" not in result.stdout,
        f"{result.returncode} {result.stdout} {result.stderr}",
    )
    checks.equal("nor does asking make them", topics_of(bootstrap), set())
    result = check(bootstrap, orders, "--format", "json")
    checks.equal("--format json has them, too", codes(result), [("E604", "error")] * 2)
    result = check(bootstrap, orders, "--format", "gcc")
    checks.that(
        "so has --format gcc",
        result.returncode == 78 and ":10:15: error: there are no topics" in result.stderr and "[E604]" in result.stderr,
        result.stderr,
    )

    kit.create_topics(bootstrap, {"orders.eu": 3, "orders.us": 2, "orders.dead": 1})
    result = check(bootstrap, orders)
    checks.that(
        "a partition that one of the topics does not have is an error",
        result.returncode == 78
        and "error[E605]: there is no partition 2 in `orders.us`" in result.stderr
        and "there are 0 to 1" in result.stderr,
        f"{result.returncode} {result.stderr}",
    )
    orders.write_text(PIPELINE.replace("= 2", "= 1"))
    result = check(bootstrap, orders)
    wanted = (
        "orders.dead: 1 partition, may be written and read\n"
        "orders.eu: 3 partitions, may be written and read\n"
        "orders.us: 2 partitions, may be written and read\n"
        "1 pipeline ok\n"
    )
    checks.that(
        "topics that can be written to have a line each",
        result.returncode == 0 and result.stdout == wanted,
        f"{result.returncode} {result.stdout} {result.stderr}",
    )
    result = check(bootstrap, orders, "-q")
    checks.that("-q prints none", result.returncode == 0 and result.stdout == "", result.stdout)


def computed_topics(checks, folder, bootstrap):
    result = check(bootstrap, folder / "computed.pipeline", "--format", "json")
    checks.that(
        "a topic that only the data tells is a note",
        result.returncode == 0 and ("N601", "note") in codes(result) and "`shops.*`" in result.stdout,
        result.stdout,
    )


def rights(checks, folder, bootstrap):
    kit.create_topics(bootstrap, {"shut": 1, "unread": 1})
    denied = folder / "denied.pipeline"
    result = check(bootstrap, denied)
    checks.that(
        "what may not be written is an error, what may not be read a warning",
        result.returncode == 78
        and "error[E606]: this client may not write to `shut`\n" in result.stderr
        and "warning[W605]: this client may not read `unread`\n" in result.stderr
        and "error[E606]: this client may not write to `hidden`, and not even look at it\n" in result.stderr
        and result.stdout == "unread: 1 partition, may be written, not read\n",
        f"{result.returncode} {result.stdout} {result.stderr}",
    )
    result = check(bootstrap, denied, "--delivery", "at_least_once", "--format", "json")
    checks.equal(
        "READ is not missed where nothing is recovered",
        [found for found in codes(result) if found[1] == "error" or found[0] == "W605"],
        [("E606", "error")] * 2,
    )
    transactional = [folder / "orders.pipeline", "--delivery", "transactional"]
    result = check(bootstrap, *transactional, "-X", "transactional.id=shop")
    checks.that(
        "a transactional id that may not be used is an error",
        result.returncode == 78 and "may not use the transactional id `shop`" in result.stderr,
        f"{result.returncode} {result.stderr}",
    )
    result = check(bootstrap, *transactional, "-X", "transactional.id=other")
    checks.equal("another one may be", result.returncode, 0)


def what_is_wrong(checks, folder, bootstrap):
    orders = folder / "orders.pipeline"
    nobody = f"127.0.0.1:{kit.free_port()}"
    result = check(nobody, orders, "--timeout", "1s")
    checks.that(
        "without a broker it ends with 69 and the reason",
        result.returncode == 69 and "Connection refused" in result.stderr,
        f"{result.returncode} {result.stderr}",
    )
    result = check(nobody, orders, "--timeout", "1s", "--format", "json")
    checks.that(
        "and has said what else it found",
        result.returncode == 69 and "diagnostics" in json.loads(result.stdout),
        f"{result.returncode} {result.stdout} {result.stderr}",
    )
    (folder / "wrong.pipeline").write_text(PIPELINE.replace("@raw", "rgion"))
    result = check(nobody, folder / "wrong.pipeline")
    checks.that(
        "for a pipeline that is wrong already no broker is looked for",
        result.returncode == 78 and "E201" in result.stderr,
        f"{result.returncode} {result.stderr}",
    )
    result = kit.forktail("check", "--kafka", orders)
    checks.that(
        "without brokers it ends with 78", result.returncode == 78 and "no brokers" in result.stderr, result.stderr
    )
    with kit.broker("forktail", options=["--sasl-user", "alice:secret"]) as guarded:
        login = ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", "sasl.username=alice", "sasl.password=guess"]
        result = check(guarded, orders, *[part for one in login for part in ("-X", one)])
        checks.that(
            "a broker that does not let the client in ends it with 77",
            result.returncode == 77 and "Invalid username or password" in result.stderr,
            f"{result.returncode} {result.stderr}",
        )


def main():
    checks = kit.Checks()
    with kit.temporary_folder("check") as folder:
        (folder / "orders.csv").write_text("1,eu\n")
        (folder / "orders.pipeline").write_text(PIPELINE)
        (folder / "denied.pipeline").write_text(DENIED)
        (folder / "computed.pipeline").write_text(COMPUTED)
        options = [part for denial in DENIALS for part in ("--deny", denial)]
        with kit.broker("forktail", options=options) as bootstrap:
            for body in (topics_and_partitions, computed_topics, rights, what_is_wrong):
                with checks.group(body.__name__):
                    body(checks, folder, bootstrap)
    checks.finish()


if __name__ == "__main__":
    main()
