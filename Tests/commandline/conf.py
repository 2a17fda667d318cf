#!/usr/bin/env python3
"""forktail.conf: what it sets, who outweighs whom, and that secrets show nowhere.

    Tests/commandline/conf.py
"""

import os
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

PEPPER = "pepper-Zq81"
PASSWORD = "hunter2-Zq81"

PIPELINE = """
from "numbers*.csv"

parse csv(header: true) {
  id: int
}

send {
  topic = "numbers"
  key   = id
  value = json(*)
}

test "a number has the header of the defaults" {
  input '''
    id
    7
    '''
  expect { topic = "numbers"  headers { from-pipeline = "numbers"  site = "lab" } }
}
"""

CONF = """
language  = 1
state_dir = "state"
pipelines = pipelines

kafka main {
  bootstrap.servers = "127.0.0.1:1"   linger.ms = 20
  client.id         = "tail-${@env.SITE}"
  security.protocol = SASL_PLAINTEXT
  sasl.mechanism    = PLAIN
  sasl.username     = forktail
  sasl.password     = secret.file("password")
}
kafka archive { bootstrap.servers = 127.0.0.1:2 }

secrets { pepper = secret.env("PEPPER") }

defaults {
  on error dead_letter "dead.${@pipeline}"
  headers {
    from-pipeline = @pipeline
    site          = "lab"
  }
}

profile dev {
  kafka main { bootstrap.servers = @env.BROKER  linger.ms = 0  security.protocol = PLAINTEXT }
}
"""

outputs = []


def forktail(folder, *arguments, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FORKTAIL")}
    result = kit.forktail(
        *arguments,
        cwd=folder,
        env={**clean, "SITE": "lab", "PEPPER": PEPPER, "NO_COLOR": "1", **environment},
    )
    outputs.append(result.stdout + result.stderr)
    return result


def write(folder):
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "numbers.pipeline").write_text(PIPELINE)
    (folder / "forktail.conf").write_text(CONF)
    (folder / "password").write_text(PASSWORD + "\n")
    (folder / "password").chmod(0o600)
    (folder / "numbers.csv").write_text("id\n1\n2\nthree\n")


def rows(text):
    """Each setting of `--show-config` with its value and its origin."""
    found = {}
    for line in text.splitlines():
        parts = re.split(r" {2,}", line.strip())
        if line.startswith("  ") and len(parts) == 3:
            found[parts[0]] = tuple(parts[1:])
    return found


def show_config(checks, folder):
    result = forktail(folder, "check", "--show-config")
    found = rows(result.stdout)
    checks.that(
        "check --show-config: ends with 0 and names the file",
        result.returncode == 0 and result.stdout.startswith("forktail.conf\n"),
        result.stdout + result.stderr,
    )
    for name, wanted in {
        "state_dir": ("state", "forktail.conf:3"),
        "delivery": ("exactly_once", "default"),
        "cluster": ("main", "default"),
        "linger.ms": ("20", "forktail.conf:7"),
        "client.id": ("tail-lab", "forktail.conf:8 (SITE)"),
        "sasl.password": ("(secret)", "forktail.conf:12"),
        "pepper": ("(secret)", "forktail.conf:16"),
        "compression.type": ("lz4", "default"),
        "header site": ('"lab"', "forktail.conf:22"),
    }.items():
        checks.equal(f"check --show-config: {name}", found.get(name), wanted)

    result = forktail(
        *(folder, "check", "--show-config", "--profile", "dev", "-X", "linger.ms=7"),
        *("-X", "sasl.password=" + PASSWORD, "--journal", "bytes"),
        BROKER="b:9092",
        FORKTAIL_STATE_DIR="/elsewhere",
    )
    found = rows(result.stdout)
    for name, wanted in {
        "bootstrap.servers": ("b:9092", "profile dev, forktail.conf:27 (BROKER)"),
        "linger.ms": ("7", "-X"),
        "sasl.password": ("(secret)", "-X"),
        "state_dir": ("/elsewhere", "FORKTAIL_STATE_DIR"),
        "journal": ("bytes", "--journal"),
    }.items():
        checks.equal(f"a later layer outweighs: {name}", found.get(name), wanted)
    checks.that("PLAINTEXT of a profile leaves out the login of the file", "sasl.username" not in found)


def search(checks, folder):
    other = folder / "other.conf"
    other.write_text("state_dir = here\n")
    result = forktail(folder, "check", "--show-config", FORKTAIL_CONFIG="other.conf")
    checks.equal("FORKTAIL_CONFIG names the file", rows(result.stdout).get("state_dir"), ("here", "other.conf:1"))
    result = forktail(folder, "check", "--show-config", "--config", "forktail.conf", FORKTAIL_CONFIG="other.conf")
    checks.that("--config outweighs it", result.stdout.startswith("forktail.conf\n"), result.stdout)
    result = forktail(folder / "pipelines", "check", "--show-config")
    checks.that("nothing needs the file", result.stdout.startswith("no forktail.conf\n"), result.stdout)
    result = forktail(folder, "check", "--config", "absent.conf")
    checks.equal("a file that is named and missing ends with 66", result.returncode, 66)
    result = forktail(folder, "check", "--profile", "prod")
    checks.that(
        "an unknown profile ends with 78 and lists those that there are",
        result.returncode == 78 and 'no profile "prod"' in result.stderr and "dev" in result.stderr,
        result.stderr,
    )
    result = forktail(folder, "check", "--cluster", "archiv")
    checks.that(
        "an unknown cluster ends with 78",
        result.returncode == 78 and "did you mean `archive`?" in result.stderr,
        result.stderr,
    )


def mistakes(checks, folder):
    wrong = folder / "wrong.conf"
    wrong.write_text(
        "stat_dir = x\nkafka main {\n  lingr.ms = 20\n  acks = most\n"
        f"  sasl.password = \"{PASSWORD}\"\n}}\nprofile dev {{ send {{ }} }}\n"
    )
    result = forktail(folder, "run", "--config", "wrong.conf")
    text = result.stderr
    checks.that(
        "a wrong forktail.conf ends with 78, and shows all mistakes with carets",
        result.returncode == 78
        and text.count("error[") == 5
        and "did you mean `state_dir`?" in text
        and "did you mean `linger.ms`?" in text
        and "wrong.conf:4:10\n" in text
        and "belongs into a pipeline" in text,
        text,
    )
    wrong.write_text("kafka main {\n  security.protocol = SASL_SSL\n}\n")
    result = forktail(folder, "check", "--config", "wrong.conf", "pipelines")
    checks.that(
        "properties that contradict each other are found before anything runs",
        result.returncode == 78 and "wrong.conf:1:7\n" in result.stderr and "sasl" in result.stderr,
        result.stderr,
    )
    result = forktail(folder, "check", FORKTAIL_DELIVERY="twice")
    checks.that(
        "so is a variable",
        result.returncode == 78 and "FORKTAIL_DELIVERY has to be exactly_once" in result.stderr,
        result.stderr,
    )


def pipelines(checks, folder):
    result = forktail(folder, "check")
    checks.that(
        "check: takes `pipelines`, and notes the inherited policy",
        result.returncode == 0
        and "1 pipeline ok" in result.stdout
        and "note[N202]" in result.stderr
        and "from forktail.conf:19" in result.stderr,
        result.stdout + result.stderr,
    )
    result = forktail(folder, "test")
    checks.that("test: sends have the headers of the defaults", result.returncode == 0, result.stdout)
    (folder / "password").chmod(0o644)
    result = forktail(folder, "check", "--strict")
    checks.that(
        "check: warns of a secret that everybody can read",
        result.returncode == 78 and "warning[W603]" in result.stderr and "chmod o= password" in result.stderr,
        result.stderr,
    )
    (folder / "password").chmod(0o600)


def shipping(checks, folder):
    with kit.broker("forktail") as bootstrap:
        arguments = ("backfill", "pipelines/numbers.pipeline", "numbers.csv", "--yes")
        arguments += ("--profile", "dev", "--max-errors", "1", "--progress", "none")
        result = forktail(folder, *arguments, BROKER=bootstrap)
        checks.that(
            "backfill: reaches the broker that the profile names",
            result.returncode == 0 and (folder / "state" / "checkpoints.db").exists(),
            f"{result.returncode} {result.stdout} {result.stderr}",
        )
        found = [kit.headers(message) for message in kit.read(bootstrap, ["numbers"])]
        checks.that(
            "its records have the headers of the defaults",
            len(found) == 2
            and all(h["from-pipeline"] == "numbers" and h["site"] == "lab" for h in found),
            found,
        )
        found = [message.value() for message in kit.read(bootstrap, ["dead.numbers"])]
        checks.equal("what fails goes where the defaults say", found, [b"three"])
        result = forktail(folder, "run", "--once", "--profile", "dev", BROKER=bootstrap)
        first = result.stderr.splitlines()[0] if result.stderr else ""
        checks.that(
            "run: the first line of the log says which file and profile",
            '"config":"forktail.conf"' in first and '"profile":"dev"' in first,
            result.stderr,
        )


def example(checks):
    folder = kit.ROOT / "examples" / "deployment"
    for profile in ["dev", "prod"]:
        result = forktail(
            *(folder, "check", "--show-config", "--profile", profile), KAFKA_BROKERS="b:9092"
        )
        checks.that(
            f"the example's profile {profile} is right",
            result.returncode == 0 and f"profile {profile}" in result.stdout,
            result.stdout + result.stderr,
        )
    for command in ["check", "test"]:
        result = forktail(folder, command, "--profile", "dev")
        checks.equal(f"{command}: the example's pipelines are right", result.returncode, 0)


def main():
    checks = kit.Checks()
    with kit.temporary_folder("conf") as folder:
        write(folder)
        for part in (show_config, search, mistakes, pipelines, shipping):
            with checks.group(part.__name__):
                part(checks, folder)
    with checks.group("example"):
        example(checks)
    text = "".join(outputs)
    checks.that("no output shows a secret", PASSWORD not in text and PEPPER not in text)
    checks.finish()


main()
