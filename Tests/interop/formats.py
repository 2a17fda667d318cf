#!/usr/bin/env python3
"""Generated CSV, JSON and access logs through `forktail backfill` into three brokers and back.

    Tests/interop/formats.py [forktail|noida|tansu]…

Every record is compared with what the generator knows: topic, partition of the key as Kafka's
Java client gives it, value, headers, timestamp; and its place: the lines of one file must be in
order in each partition.
"""

import json
import pathlib
import random
import sys
from collections import Counter, namedtuple
from datetime import datetime, timedelta, timezone

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

LINES = 4000
PARTITIONS = {"shop.eu": 3, "shop.us": 4, "shop.dead": 1, "app.log": 5, "app.dead": 1}
PARTITIONS |= {"web.hits": 6, "web.dead": 1}

# What one line of a file must become; `place` is the file and the line number.
Wanted = namedtuple("Wanted", "topic key timestamp headers value")

START = datetime(2026, 11, 23, 10, 0, 0, tzinfo=timezone.utc)


def moment_of(text):
    """The time that a text of one of the inputs stands for."""
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%fZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
        except ValueError:
            pass
    return datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z")


def milliseconds(moment):
    return round(moment.timestamp() * 1000)


def dead(topic, raw):
    return Wanted(topic, None, None, {"dlq.kind": "parse"}, raw.encode())


# MARK: CSV

SHOP = """
from "none.csv"

parse csv(header: true) {
  id:      int
  region:  enum("eu", "us")
  state:   string
  price:   decimal
  card:    string
  note:    string?
  placed:  time('%Y-%m-%d %H:%M:%S', zone: "UTC")
}

drop "trial" if state == "trial"

set card = mask(card, keep_last: 4)

send {
  topic     = "shop.${region}"
  key       = id
  timestamp = placed
  headers {
    note = note
    file = @file
    line = @line
  }
  value     = json(* except note)
}

on error dead_letter "shop.dead"
"""


def shop(name, rng):
    """A file with a header, quoted cells, some rows to drop and some that do not parse."""
    rows, wanted = ["id,region,state,price,card,note,placed"], {}
    for line in range(2, LINES + 2):
        key = rng.randrange(500)
        region = rng.choice(["eu", "us"])
        state = rng.choices(["paid", "trial"], [9, 1])[0]
        price = f"{rng.randrange(1000)}.{rng.randrange(100):02}"
        card = "".join(rng.choices("0123456789", k=16))
        note = rng.choice(["", "plain", "with, comma", 'a "quoted" word', "naïve ☂"])
        placed = START + timedelta(seconds=rng.randrange(100_000))
        if line % 97 == 0:
            price = "much"
        cell = '"' + note.replace('"', '""') + '"' if set(note) & set(',"') else note
        rows.append(f"{key},{region},{state},{price},{card},{cell},{placed:%Y-%m-%d %H:%M:%S}")
        if line % 97 == 0:
            wanted[line] = dead("shop.dead", rows[-1])
        elif state != "trial":
            fields = {"file": name, "line": str(line)} | ({"note": note} if note else {})
            value = {
                "id": key,
                "region": region,
                "state": state,
                "price": float(price),
                "card": "*" * 12 + card[-4:],
                "placed": placed,
            }
            wanted[line] = Wanted(
                f"shop.{region}", str(key).encode(), milliseconds(placed), fields, value
            )
    return rows, wanted


# MARK: JSON

APP = """
from "none.jsonl"

parse json {
  at:      time(iso8601)
  level:   enum("debug", "info", "error")
  service: string
  message: string
  user:    object?
  trace:   string?
}

drop "debug noise" if level == "debug" and service != "payments"

remove user.email

send {
  topic     = "app.log"
  key       = trace ?? service
  timestamp = at
  headers {
    level = level
    file  = @file
    line  = @line
  }
  value     = json(*)
}

on error dead_letter "app.dead"
"""


def app(name, rng):
    rows, wanted = [], {}
    for line in range(1, LINES + 1):
        at = START + timedelta(milliseconds=rng.randrange(10_000_000))
        event = {
            "at": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z",
            "level": rng.choice(["debug", "info", "error"]),
            "service": rng.choice(["cart", "payments", "search"]),
            "message": rng.choice(["added", 'said "no"', "tab\there", "línea ☃", "back\\slash"]),
            "took": rng.randrange(10_000),
            "deep": {"list": [1, 2.5, None, True, {"x": "y"}]},
        }
        if rng.random() < 0.5:
            event["user"] = {"id": rng.randrange(100), "email": "someone@example.org"}
        if rng.random() < 0.5:
            event["trace"] = f"t-{rng.randrange(300)}"
        text = json.dumps(event, ensure_ascii=rng.random() < 0.5)
        event["at"] = at.replace(microsecond=at.microsecond // 1000 * 1000)
        if line % 131 == 0:
            text = text[: len(text) // 2]
            wanted[line] = dead("app.dead", text)
        elif event["level"] != "debug" or event["service"] == "payments":
            if "user" in event:
                del event["user"]["email"]
            fields = {"level": event["level"], "file": name, "line": str(line)}
            key = event.get("trace", event["service"]).encode()
            wanted[line] = Wanted("app.log", key, milliseconds(at), fields, event)
        rows.append(text)
    return rows, wanted


# MARK: Access log

WEB = """
from "none.log"

parse nginx_combined

drop "health" if path =~ '^/(healthz|metrics)\\b'

set level = match {
  status >= 500 => "error"
  status >= 400 => "warn"
  else          => "info"
}

send {
  topic     = "web.hits"
  key       = remote_addr
  timestamp = time
  headers {
    level = level
    file  = @file
    line  = @line
  }
  value     = @raw
}

on error dead_letter "web.dead"
"""


def web(name, rng):
    rows, wanted = [], {}
    for line in range(1, LINES + 1):
        address = f"203.0.113.{rng.randrange(1, 255)}"
        zone = timezone(timedelta(hours=rng.choice([-5, 0, 2])))
        at = (START + timedelta(seconds=rng.randrange(100_000))).astimezone(zone)
        path = rng.choice(["/", "/cart?id=7", "/healthz", "/metrics", "/metricsx", "/a%20b"])
        status = rng.choice([200, 204, 301, 404, 500, 503])
        agent = rng.choice(["curl/8.5", "Mozilla/5.0 (X11; Linux)", "-"])
        text = (
            f"{address} - {rng.choice(['-', 'ada'])} [{at:%d/%b/%Y:%H:%M:%S %z}] "
            f'"GET {path} HTTP/1.1" {status} {rng.randrange(100_000)} "-" "{agent}"'
        )
        if line % 113 == 0:
            text = text.replace("[", "").replace('"', "")
            wanted[line] = dead("web.dead", text)
        elif path not in ("/healthz", "/metrics"):
            level = "error" if status >= 500 else "warn" if status >= 400 else "info"
            fields = {"level": level, "file": name, "line": str(line)}
            wanted[line] = Wanted(
                "web.hits", address.encode(), milliseconds(at), fields, text.encode()
            )
        rows.append(text)
    return rows, wanted


# MARK: The comparison

FORMATS = {
    "shop": (SHOP, shop, "csv", ["shop.eu", "shop.us", "shop.dead"]),
    "app": (APP, app, "jsonl", ["app.log", "app.dead"]),
    "web": (WEB, web, "log", ["web.hits", "web.dead"]),
}


def generate(folder):
    """Writes two files of each format; gives {format: {file: {line: Wanted}}}."""
    everything = {}
    for label, (pipeline, generator, extension, _) in FORMATS.items():
        (folder / f"{label}.pipeline").write_text(pipeline)
        everything[label] = {}
        for number in (1, 2):
            name = f"{label}-{number}.{extension}"
            rows, wanted = generator(name, random.Random(f"{label}-{number}"))
            (folder / name).write_text("\n".join(rows) + "\n")
            everything[label][name] = wanted
    return everything


def place(message):
    """The file and line that a record says it comes from."""
    fields = kit.headers(message)
    if "dlq.path" in fields:
        return pathlib.PurePath(fields["dlq.path"]).name, int(fields["dlq.line"])
    return fields.get("file"), int(fields.get("line", 0))


def difference(message, wanted):
    """What is wrong with a record, or nothing."""
    if wanted is None:
        return "nothing should have been sent for this line"
    if message.topic() != wanted.topic:
        return f"in {message.topic()}, not {wanted.topic}"
    fields = kit.headers(message)
    # The first record of a batch says where it is from.
    fields.pop("forktail.position", None)
    if wanted.headers.get("dlq.kind"):
        if fields.get("dlq.kind") != wanted.headers["dlq.kind"]:
            return f"headers {fields}"
        return None if message.value() == wanted.value else f"value {message.value()!r}"
    if message.key() != wanted.key:
        return f"key {message.key()!r}, not {wanted.key!r}"
    if message.partition() != kit.partition_of(wanted.key, PARTITIONS[wanted.topic]):
        return f"partition {message.partition()} for key {wanted.key!r}"
    if message.timestamp() != (1, wanted.timestamp):  # 1 is CreateTime
        return f"timestamp {message.timestamp()}, not {wanted.timestamp}"
    if fields != wanted.headers:
        return f"headers {fields}, not {wanted.headers}"
    return value_difference(message.value(), wanted.value)


def value_difference(found, wanted):
    if isinstance(wanted, bytes):
        return None if found == wanted else f"value {found!r}, not {wanted!r}"
    value = json.loads(found)
    # How a time is spelled in JSON is not what is tested here, only which time it is.
    for name, moment in wanted.items():
        if isinstance(moment, datetime) and isinstance(value.get(name), str):
            value[name] = moment_of(value[name])
            if value[name].tzinfo is None:
                value[name] = value[name].replace(tzinfo=timezone.utc)
    return None if value == wanted else f"value {value}, not {wanted}"


def compare(checks, label, bootstrap, topics, wanted):
    counts, differences, last, unordered = Counter(), [], {}, []
    for message in kit.read(bootstrap, topics):
        file, line = place(message)
        counts[file, line] += 1
        if problem := difference(message, wanted.get(file, {}).get(line)):
            differences.append(f"{file}:{line} {problem}")
        stream = (file, message.topic(), message.partition())
        if line <= last.get(stream, 0):
            unordered.append(f"{stream} has {line} after {last[stream]}")
        last[stream] = line
    places = {(file, line) for file in wanted for line in wanted[file]}
    lost = places - set(counts)
    repeated = [each for each, count in counts.items() if count > 1]
    checks.that(
        f"{label}: all {len(places)} records are there, once",
        not lost and not repeated,
        f"lost {len(lost)} {sorted(lost)[:3]}, repeated {len(repeated)} {repeated[:3]}",
    )
    checks.that(
        f"{label}: topic, partition, key, timestamp, headers and value are right",
        not differences,
        f"{len(differences)} are not: {differences[:3]}",
    )
    checks.that(f"{label}: in the order of the lines", not unordered, unordered[:3])


def main():
    checks = kit.Checks()
    for kind in sys.argv[1:] or kit.BROKERS:
        with kit.temporary_folder("formats") as folder, kit.broker(kind) as bootstrap:
            everything = generate(folder)
            kit.create_topics(bootstrap, PARTITIONS)
            for label, (_, _, _, topics) in FORMATS.items():
                with checks.group(f"{label} to {kind}"):
                    result = kit.forktail(
                        *("backfill", folder / f"{label}.pipeline"),
                        *(folder / name for name in everything[label]),
                        *("-b", bootstrap, "--state-dir", folder / "state"),
                        *("--progress", "none", "--max-errors", "10%", "--yes"),
                    )
                    checks.that(
                        f"{label} to {kind}: backfill ends with 0",
                        result.returncode == 0,
                        f"{result.returncode} {result.stderr[-600:]}",
                    )
                    compare(checks, f"{label} to {kind}", bootstrap, topics, everything[label])
    checks.finish()


if __name__ == "__main__":
    main()
