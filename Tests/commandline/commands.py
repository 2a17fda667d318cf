#!/usr/bin/env python3
"""What each command prints and how it ends, when all is right and when it is not.

    Tests/commandline/commands.py
"""

import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit
from fault_proxy import PRODUCE, FaultProxy

GOOD = """
from "numbers*.csv"

parse csv(header: true) {
  id:    int
  state: string
}

drop "old" if state == "old"

send {
  topic = "numbers"
  key   = id
  value = json(*)
}

on error dead_letter "numbers.dead"

test "a number is sent, an old one is not" {
  input '''
    id,state
    7,new
    8,old
    x,new
    '''
  expect { topic = "numbers"  key = "7"  value = { id: 7, state: "new" } }
  expect drop "old"
  expect dead_letter
}
"""

CSV = "id,state\n1,new\n2,old\nthree,new\n4,new\n"


def write(folder):
    (folder / "numbers.csv").write_text(CSV)
    (folder / "good.pipeline").write_text(GOOD)
    (folder / "failing.pipeline").write_text(GOOD.replace('key = "7"', 'key = "8"'))
    wrong = GOOD.replace("key   = id", "key   = idd").replace('if state == "old"', 'if stat == "old"')
    (folder / "wrong.pipeline").write_text(wrong)


def check(checks, folder):
    result = kit.forktail("check", folder / "good.pipeline")
    checks.equal("check: a right pipeline ends with 0", result.returncode, 0)

    result = kit.forktail("check", "--color", "never", folder / "wrong.pipeline")
    text = result.stderr + result.stdout
    checks.equal("check: a wrong pipeline ends with 78", result.returncode, 78)
    checks.that(
        "check: every error is there, with code, line, column, caret and help",
        re.search(r"error\[E201\].*`idd`", text)
        and re.search(r"error\[E201\].*`stat`", text)
        and re.search(r"wrong\.pipeline:9:1[0-9]\n", text)
        and re.search(r"wrong\.pipeline:13:11\n", text)
        and text.count("^^^") >= 2
        and "did you mean `id`?" in text
        and "did you mean `state`?" in text,
        text,
    )
    checks.that("check: says how many", "2 errors" in text, text[-200:])

    result = kit.forktail("check", "--format", "gcc", folder / "wrong.pipeline")
    text = result.stderr + result.stdout
    checks.that(
        "check --format gcc: one line an error",
        result.returncode == 78 and re.search(r"wrong\.pipeline:13:11: error: ", text),
        text,
    )
    check_formats(checks, folder)
    result = kit.forktail("check", folder / "absent.pipeline")
    checks.equal("check: a missing file ends with 66", result.returncode, 66)
    result = kit.forktail(
        *("run", folder / "wrong.pipeline", "-b", "127.0.0.1:1", "--state-dir", folder / "no-state")
    )
    checks.that(
        "run: a wrong pipeline does not start (78), and leaves no state behind",
        result.returncode == 78 and "E201" in result.stderr and not (folder / "no-state").exists(),
        f"{result.returncode} {result.stderr[-400:]}",
    )


def check_formats(checks, folder):
    def output(form):
        result = kit.forktail("check", "--format", form, folder / "wrong.pipeline", folder / "good.pipeline")
        checks.equal(f"check --format {form}: a wrong pipeline ends with 78", result.returncode, 78)
        return result.stdout

    report = json.loads(output("json"))
    checks.equal(
        "check --format json: each error with its place, and what they add up to",
        [(d["code"], d["line"], d["column"], d["endColumn"]) for d in report["diagnostics"]],
        [("E201", 9, 15, 19), ("E201", 13, 11, 14)],
    )
    checks.equal("check --format json: the sum", report["summary"]["errors"], 2)
    checks.that(
        "check --format github: one annotation an error",
        re.fullmatch(r"(::error file=[^:]*wrong\.pipeline,line=\d+,[^\n]*::unknown field [^\n]*\n){2}", output("github")),
    )
    log = json.loads(output("sarif"))
    run = log["runs"][0]
    results = run["results"]
    checks.that(
        "check --format sarif: rules, and results that point into them and into the file",
        log["version"] == "2.1.0"
        and all(run["tool"]["driver"]["rules"][r["ruleIndex"]]["id"] == r["ruleId"] for r in results)
        and [r["locations"][0]["physicalLocation"]["region"]["startLine"] for r in results] == [9, 13],
        log,
    )

    result = kit.forktail("check", folder / "good.pipeline", "--sample", folder / "numbers.csv")
    checks.that(
        "check --sample: shows what becomes of each line, and ends with 65 if one fails",
        result.returncode == 65
        and "1 pipeline ok" in result.stdout
        and result.stdout.count("key    ") == 3
        and "dropped" in result.stdout,
        result.stdout + result.stderr,
    )
    result = kit.forktail("check", folder / "good.pipeline", "--sample", "x", "--format", "json")
    checks.equal("check --sample --format json ends with 64", result.returncode, 64)


def check_warnings(checks, folder):
    own = folder / "warnings"
    (own / "lib").mkdir(parents=True)
    (own / "numbers.csv").write_text("id,state\n")
    for name in ["a", "b"]:
        (own / f"{name}.pipeline").write_text(GOOD)
    (own / "c.pipeline").write_text(GOOD.replace('"numbers*.csv"', '"nowhere/*.csv"').replace("key   = id", 'key = "k"'))
    result = kit.forktail("check", "--format", "gcc", own)
    checks.that(
        "check: warns of files that two pipelines read, of globs without files, of constant keys",
        result.returncode == 0
        and re.search(r"b\.pipeline:2:6: warning: .*numbers\.csv is read by .*a\.pipeline too", result.stderr)
        and re.search(r"c\.pipeline:2:6: warning: no file fits this now", result.stderr)
        and re.search(r"c\.pipeline:13:\d+: warning: this key is always the same", result.stderr)
        and result.stderr.count(": warning: ") == 3,
        result.stderr,
    )
    result = kit.forktail("check", "--strict", "--quiet", own)
    checks.equal("check --strict: warnings end with 78", result.returncode, 78)


def include(checks, folder):
    own = folder / "include"
    (own / "lib").mkdir(parents=True)
    (own / "numbers.csv").write_text(CSV)
    text = GOOD.replace('drop "old" if', 'include "lib/old.steps"\n#')
    (own / "p.pipeline").write_text(text)
    (own / "lib" / "old.steps").write_text('drop "old" if state == "old"\n')
    result = kit.forktail("test", own / "p.pipeline")
    checks.that(
        "include: the steps of another file run",
        result.returncode == 0 and "1 passed" in result.stdout,
        result.stdout + result.stderr,
    )
    (own / "lib" / "old.steps").write_text('\ndrop "old" if stat == "old"\n')
    result = kit.forktail("check", "--color", "never", own / "p.pipeline")
    checks.that(
        "include: an error points into the other file, and says who included it",
        result.returncode == 78
        and re.search(r"--> \S*/lib/old\.steps:2:15\n", result.stderr)
        and re.search(r"::: included from \S*/p\.pipeline:9:1\n", result.stderr),
        result.stderr,
    )
    (own / "lib" / "old.steps").unlink()
    result = kit.forktail("check", "--color", "never", own / "p.pipeline")
    checks.that(
        "include: a file that is not there is an error of the pipeline",
        result.returncode == 78 and "E406" in result.stderr and "p.pipeline:9:9" in result.stderr,
        result.stderr,
    )


def check_of_truncated_files(checks, folder):
    own = folder / "truncated"
    (own / "logs").mkdir(parents=True)
    (own / "p.pipeline").write_text(
        (folder / "good.pipeline").read_text().replace('from "', 'from "logs/app.log", "', 1)
    )
    log, copy = own / "logs" / "app.log", own / "logs" / "app.log.1"

    def warns(*arguments):
        result = kit.forktail("check", own / "p.pipeline", "--delivery", "exactly_once", *arguments)
        return result.returncode == 0 and "W603" in result.stderr and str(copy) in result.stderr

    log.write_text("one\n")
    log.rename(copy)
    log.write_text("two\n")
    checks.that("check: files that are renamed are left in peace", not warns())
    copy.unlink()
    shutil.copy(log, copy)
    os.truncate(log, 0)
    checks.that("check: says that a file is copied and truncated", warns())
    checks.that("check --journal bytes does not", not warns("--journal", "bytes"))
    text = (own / "p.pipeline").read_text()
    (own / "p.pipeline").write_text(text.replace("logs/app.log", "logs/app.log*"))
    checks.that("check: nor if the copies are in the globs", not warns())


def test(checks, folder):
    result = kit.forktail("test", folder / "good.pipeline")
    checks.that(
        "test: passing tests end with 0",
        result.returncode == 0 and "1 passed, 0 failed" in result.stdout,
        result.stdout + result.stderr,
    )
    result = kit.forktail("test", folder / "failing.pipeline")
    checks.that(
        "test: a failing one ends with 1, and says what was found",
        result.returncode == 1
        and "0 passed, 1 failed" in result.stdout
        and "7" in result.stdout
        and "8" in result.stdout,
        f"{result.returncode} {result.stdout + result.stderr}",
    )
    result = kit.forktail("test", folder / "wrong.pipeline")
    checks.equal("test: a wrong pipeline ends with 78", result.returncode, 78)


def dry_run(checks, folder):
    result = kit.forktail(
        "try", folder / "good.pipeline", folder / "numbers.csv", "--format", "json"
    )
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    checks.that(
        "try --format json: one outcome a line, in order",
        [row["fate"] for row in rows] == ["sent", "dropped", "dead_letter", "sent"],
        result.stdout + result.stderr,
    )
    checks.that(
        "try: a record as it would be sent",
        rows
        and (rows[0].get("topic"), rows[0].get("key")) == ("numbers", "1")
        and json.loads(rows[0].get("value", "null")) == {"id": 1, "state": "new"}
        and rows[1].get("reason") == "old"
        and rows[2].get("line") == 4
        and rows[2].get("offset") == CSV.index("three"),
        rows,
    )
    checks.equal("try: a failed record ends with 65", result.returncode, 65)
    text = subprocess.run(
        [kit.FORKTAIL, "try", folder / "good.pipeline", "-", "--format", "json"],
        input="id,state\n5,new\n",
        capture_output=True,
        text=True,
        timeout=30,
    )
    checks.that(
        "try: reads standard input, and ends with 0 when all is sent",
        text.returncode == 0 and json.loads(text.stdout)["key"] == "5",
        f"{text.returncode} {text.stdout} {text.stderr}",
    )
    result = kit.forktail("try", folder / "good.pipeline", folder / "absent.csv")
    checks.equal("try: a missing file ends with 66", result.returncode, 66)


def backfill(checks, folder, bootstrap):
    common = ("--state-dir", folder / "state", "--yes", "--progress", "none")
    result = kit.forktail(
        *("backfill", folder / "good.pipeline", "-b", f"127.0.0.1:{kit.free_port()}"),
        *(*common, "--connect-timeout", "1s"),
    )
    checks.that(
        "backfill: without a broker it ends with 69",
        result.returncode == 69,
        f"{result.returncode} {result.stderr[-400:]}",
    )
    result = kit.forktail(
        "backfill", folder / "good.pipeline", folder / "absent.csv", "-b", bootstrap, *common
    )
    checks.equal("backfill: a missing file ends with 66", result.returncode, 66)

    arguments = ("backfill", folder / "good.pipeline", "-b", bootstrap, *common, "--job", "one")
    result = kit.forktail(*arguments, "--json")
    checks.that(
        "backfill: failed records beyond --max-errors end with 65",
        result.returncode == 65,
        f"{result.returncode} {result.stderr[-400:]}",
    )
    summary = json.loads(result.stdout or "{}")
    checks.that(
        "backfill --json: the books balance",
        (summary.get("read"), summary.get("sent"), summary.get("dead_lettered")) == (4, 2, 1)
        and summary.get("dropped") == {"old": 1}
        and summary.get("topics") == {"numbers": 2, "numbers.dead": 1},
        result.stdout,
    )
    with open("/dev/full", "w") as full:
        words = [str(kit.FORKTAIL), *map(str, arguments), "--json"]
        result = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        listing = [str(kit.FORKTAIL), "checkpoints", "list", "--state-dir", str(folder / "state")]
        listed = subprocess.run(listing, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    checks.that(
        "backfill --json and checkpoints list > /dev/full end with 74",
        (result.returncode, listed.returncode) == (74, 74)
        and "No space left on device" in result.stderr
        and "No space left on device" in listed.stderr,
        f"{result.returncode} {result.stderr[-200:]} {listed.returncode} {listed.stderr[-200:]}",
    )
    result = kit.forktail(*arguments, "--max-errors", "1")
    checks.that(
        "backfill: a job that is done sends nothing again, and says that it is done",
        result.returncode == 0
        and count(bootstrap) == 3
        and 'job "one" was finished before' in result.stderr
        and "--restart" in result.stderr,
        f"{result.returncode} {count(bootstrap)} {result.stderr[-400:]}",
    )
    result = kit.forktail(*arguments, "--max-errors", "1", "--restart")
    checks.that(
        "backfill --restart: sends all again, and says what it did",
        result.returncode == 0 and count(bootstrap) == 6 and "4 records read" in result.stderr,
        f"{result.returncode} {count(bootstrap)} {result.stderr[-400:]}",
    )


def dry_run_reads_as_run_does(checks, folder):
    own = folder / "inputs"
    own.mkdir()
    pipeline = """
    from "*" { SETTING }
    parse text { line: string }
    send { topic = "lines"  value = line }
    on error stop
    """
    lines = ["grün", "日本", "last"]
    text = "".join(f"{line}\n" for line in lines)
    plain = text.encode()
    header = (len(plain) << 3 | 1).to_bytes(3, "little")
    zstd = b"\x28\xb5\x2f\xfd\x20" + bytes([len(plain)]) + header + plain
    cases = {
        "gzip": ("", "a.gz", gzip.compress(plain), lines, [0, 6, 13]),
        "zstd": ("", "a.zst", zstd, lines, [0, 6, 13]),
        "gzip with compressed = no": ("compressed = no", "a.gz", b"\x1f\x8b\x08\x00\n", None, [0]),
        "UTF-16": ('encoding = "UTF-16"', "a.log", text.encode("utf-16"), lines, [2, 12, 18]),
        "Shift-JIS in gzip": (
            *('encoding = "Shift_JIS"', "b.gz", gzip.compress("日本\nx\n".encode("shift-jis"))),
            *(["日本", "x"], [0, 5]),
        ),
        "invalid_utf8 = replace": ("invalid_utf8 = replace", "c", b"a\xffb\n", ["a\ufffdb"], [0]),
    }
    for label, (setting, name, content, wanted, offsets) in cases.items():
        (own / "p.pipeline").write_text(pipeline.replace("SETTING", setting))
        (own / name).write_bytes(content)
        command = [str(kit.FORKTAIL), "try", str(own / "p.pipeline"), "--format", "json"]
        results = [
            subprocess.run([*command, str(own / name)], capture_output=True, timeout=30),
            subprocess.run([*command, "-"], input=content, capture_output=True, timeout=30),
        ]
        rows = [[json.loads(line) for line in result.stdout.splitlines()] for result in results]
        checks.that(
            f"try reads {label}, from a file and from standard input",
            all(result.returncode == 0 for result in results)
            and all([row["offset"] for row in found] == offsets for found in rows)
            and all(not wanted or [row["value"] for row in found] == wanted for found in rows),
            [(result.returncode, result.stdout, result.stderr) for result in results],
        )
    (own / "p.pipeline").write_text(pipeline.replace("SETTING", ""))
    (own / "cut.gz").write_bytes(gzip.compress(plain)[:-12])
    result = kit.forktail("try", own / "p.pipeline", own / "cut.gz")
    checks.that(
        "try on a damaged gzip file ends with 65, and says so",
        result.returncode == 65 and "cut.gz is damaged: " in result.stderr,
        f"{result.returncode} {result.stdout} {result.stderr}",
    )


def output_that_cannot_be_written(checks, folder):
    """A full disk behind standard output is an error; a reader that has gone is none."""
    long = folder / "long.csv"
    long.write_text("id,state\n" + "".join(f"{n},new\n" for n in range(20_000)))
    commands = [("try", folder / "good.pipeline", long), ("test", folder / "good.pipeline")]
    commands += [("check", folder / "good.pipeline"), ("version",)]
    for command in commands:
        words = [str(kit.FORKTAIL), *map(str, command)]
        with open("/dev/full", "w") as full:
            result = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
        checks.that(
            f"{command[0]} > /dev/full ends with 74, and says why",
            result.returncode == 74 and result.stderr.endswith("No space left on device\n"),
            f"{result.returncode} {result.stderr[-300:]}",
        )
    for restore in (True, False):
        process = subprocess.Popen(
            [str(kit.FORKTAIL), *map(str, commands[0])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Without it the child ignores SIGPIPE, as this process does.
            restore_signals=restore,
        )
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        checks.equal(
            f"try | head ends quietly{'' if restore else ', also where SIGPIPE is ignored'}",
            (process.wait(30), errors),
            (-signal.SIGPIPE, b""),
        )


def names_that_control_a_terminal(checks, folder):
    own = folder / "names"
    own.mkdir()
    (own / "good.pipeline").write_text(GOOD)
    name = "numbers\x1b[2J\n\x7f.csv"
    (own / name).write_text(CSV)
    shown = r"numbers\u{1b}[2J\n\u{7f}.csv"
    with kit.broker("forktail") as bootstrap:
        shipped = kit.forktail(
            *("backfill", own / "good.pipeline", "-b", bootstrap, "--max-errors", "1", "--yes"),
            *("--state-dir", own / "state", "--log-format", "text"),
        )
    checks.equal("a file with control characters in its name is shipped", shipped.returncode, 0)
    listing = ("checkpoints", "list", "--state-dir", own / "state")
    table, rows = kit.forktail(*listing), kit.forktail(*listing, "--json")
    tried = kit.forktail("try", own / "good.pipeline", own / name)
    absent = kit.forktail("try", own / "good.pipeline", own / f"no-{name}")
    everything = [shipped.stderr, table.stdout, rows.stdout, tried.stdout, absent.stderr]
    checks.that(
        "nothing prints its name raw",
        not any(character in text for text in everything for character in "\x1b\x7f")
        and all(shown in text for text in (shipped.stderr, table.stdout, tried.stdout, absent.stderr)),
        everything,
    )
    checks.equal(
        "JSON has it as it is",
        [json.loads(line)["path"] for line in rows.stdout.splitlines()],
        [str(own / name)],
    )


def inputs_that_are_no_files(checks, folder):
    special = folder / "special"
    special.mkdir()
    os.mkfifo(special / "fifo")
    backfill = ("backfill", folder / "good.pipeline")
    options = ("-b", "127.0.0.1:1", "--yes", "--state-dir", folder / "state")
    wanted = {
        special: f"{special} is a folder; name the files in it: {special}/*",
        special / "fifo": f"{special}/fifo is a pipe; write what it gives to a file",
        "/dev/null": "/dev/null is a device; write what it gives to a file",
        special / "absent": f"{special}/absent cannot be read: No such file or directory",
    }
    for path, text in wanted.items():
        result = kit.forktail(*backfill, path, *options)
        checks.that(
            f"backfill says what it is given: {text.replace(str(special), '…')}",
            result.returncode == 66 and result.stderr.startswith(f"forktail: {text}"),
            f"{result.returncode} {result.stderr}",
        )
    result = kit.forktail("try", folder / "good.pipeline", special)
    checks.that(
        "try on a folder names it",
        result.returncode == 66
        and result.stderr == f"forktail: {special} is a folder; `try` takes one file\n",
        f"{result.returncode} {result.stderr}",
    )


def a_name_that_is_not_utf8(checks, folder):
    own = folder / "latin"
    own.mkdir()
    (own / "good.pipeline").write_text(GOOD)
    name = os.fsencode(own) + b"/numbers-\xe4.csv"
    with open(name, "w") as file:
        file.write(CSV)
    options = ("-b", "127.0.0.1:1", "--yes", "--state-dir", own / "state")
    results = {
        "backfill by its glob": kit.forktail("backfill", own / "good.pipeline", *options),
        "try": kit.forktail("try", own / "good.pipeline", os.fsdecode(name)),
        "backfill": kit.forktail("backfill", own / "good.pipeline", os.fsdecode(name), *options),
    }
    for label, result in results.items():
        checks.that(
            f"{label}: a name that is not UTF-8 is the reason given",
            result.returncode == 66
            and "numbers-\ufffd.csv cannot be read: its name is not UTF-8; rename it" in result.stderr,
            f"{result.returncode} {result.stderr}",
        )


def connection_errors(checks, folder):
    port = kit.free_port()
    result = kit.forktail(
        *("backfill", folder / "good.pipeline", "-b", f"127.0.0.1:{port}", "--yes"),
        *("--state-dir", folder / "state", "--connect-timeout", "200ms"),
    )
    reason = result.stderr.strip().splitlines()[-1]
    checks.that(
        "a refused connection is said in the kernel's words",
        reason.endswith(f": 127.0.0.1:{port}: Connection refused"),
        reason,
    )
    with kit.broker("forktail") as bootstrap:
        taken = bootstrap.rsplit(":", 1)[1]
        result = kit.forktail("broker", "--port", taken)
        checks.that(
            "broker: a port that is taken ends it with 69, and is named",
            result.returncode == 69
            and result.stderr == f"forktail: cannot listen on 127.0.0.1:{taken}: "
            "Address already in use\n",
            f"{result.returncode} {result.stderr}",
        )


def backfill_reads_a_file_once(checks, folder, bootstrap):
    own = folder / "once"
    own.mkdir()
    pipeline = GOOD.replace('"numbers"', '"once"').replace('"numbers.dead"', '"once.dead"')
    (own / "once.pipeline").write_text(pipeline)
    (own / "a.csv").write_text(CSV)
    (own / "link.csv").symlink_to("a.csv")
    os.link(own / "a.csv", own / "hard.csv")
    result = kit.forktail(
        *("backfill", "once.pipeline", "a.csv", "./a.csv", "link.csv", "hard.csv", "a.csv"),
        *("-b", bootstrap, "--state-dir", "state", "--yes", "--max-errors", "1", "--json"),
        *("--log-format", "json"),
        cwd=own,
    )
    log = [json.loads(line) for line in result.stderr.splitlines()]
    also = [line["also"] for line in log if line.get("event") == "backfill.same_file"]
    checks.that(
        "backfill: a file under several names is shipped once",
        result.returncode == 0 and json.loads(result.stdout)["read"] == 4,
        f"{result.returncode} {result.stdout} {result.stderr}",
    )
    checks.equal(
        "and each further name is said", also, ["./a.csv", "link.csv", "hard.csv", "a.csv"]
    )
    options = ("-b", bootstrap, "--state-dir", "state", "--yes", "--max-errors", "1")
    kit.forktail("backfill", "once.pipeline", "a.csv", "no.csv", "--restart", *options, cwd=own)
    result = kit.forktail("backfill", "once.pipeline", "a.csv", *options, "--json", cwd=own)
    checks.equal(
        "backfill --restart with a file that is not there forgets nothing",
        json.loads(result.stdout)["read"],
        0,
    )


def count(bootstrap):
    return sum(1 for _ in kit.read(bootstrap, ["numbers", "numbers.dead"]))


def backfill_goes_on(checks, folder, bootstrap):
    """SIGTERM in the middle of a backfill, and the same job again: nothing lost."""
    lines = 400_000
    big = folder / "numbers-big.csv"
    big.write_text("id,state\n" + "".join(f"{n},{'new' * 30}\n" for n in range(lines)))
    (folder / "big.pipeline").write_text(GOOD.replace('"numbers"', '"big"'))
    arguments = [
        *(kit.FORKTAIL, "backfill", folder / "big.pipeline", big, "-b", bootstrap),
        *("--state-dir", folder / "state", "--yes", "--progress", "none", "--job", "big"),
        *("-X", "batch.size=4096", "-X", "max.in.flight.requests.per.connection=1"),
    ]
    process = subprocess.Popen([str(part) for part in arguments], stderr=subprocess.PIPE)
    time.sleep(0.5)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    if process.returncode == 0:
        print("     (the backfill was done before the signal came)")
    else:
        checks.that("backfill: SIGTERM ends it with 75", process.returncode == 75, errors[-400:])
    result = kit.forktail(*arguments[1:])
    seen = {message.key() for message in kit.read(bootstrap, ["big"])}
    checks.that(
        "backfill: the same job goes on to the end, with nothing lost",
        result.returncode == 0 and len(seen) == lines,
        f"{result.returncode} {len(seen)} {result.stderr[-400:]}",
    )


def backfill_that_is_cut_off(checks, folder, bootstrap):
    """Two Ctrl-C while Kafka does not answer: the books balance, and the command that is shown goes on."""
    own = folder / "cut off"
    own.mkdir()
    pipeline = GOOD.replace('"numbers"', '"cut"').replace('"numbers.dead"', '"cut.dead"')
    (own / "cut.pipeline").write_text(pipeline)
    lines = 50_000
    text = "".join(f"{n},{('new', 'old')[n % 10 == 0]}\n" for n in range(lines))
    (own / "a b.csv").write_text("id,state\n" + text)
    with FaultProxy(bootstrap) as proxy:
        process = subprocess.Popen(
            [
                *(str(kit.FORKTAIL), "backfill", own / "cut.pipeline", own / "a b.csv", "--json"),
                *("-b", proxy.bootstrap, "--state-dir", own / "state", "--yes", "--progress", "none"),
                *("-X", "batch.size=2000", "-X", "max.request.size=3000", "-X", "linger.ms=0"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        kit.wait_until(lambda: proxy.requests[PRODUCE] > 20, 10)
        proxy.hold()
        time.sleep(0.5)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        output, errors = process.communicate(timeout=30)
        proxy.release()
        checks.equal("backfill: Ctrl-C twice ends it with 130", process.returncode, 130)
        books = json.loads(output)
        there = sum(1 for _ in kit.read(bootstrap, ["cut"]))
        checks.that(
            "backfill: what was not acknowledged is not counted as sent",
            books["read"] == books["sent"] + books["dropped"].get("old", 0) + books["unacknowledged"]
            and 0 < books["sent"] == books["topics"]["cut"] <= there
            and books["unacknowledged"] > 0,
            f"{books}, {there} in Kafka",
        )
        command = errors.splitlines()[-1].strip()
        result = subprocess.run(
            ["sh", "-c", command], capture_output=True, text=True, timeout=120
        )
    seen = {message.key() for message in kit.read(bootstrap, ["cut"])}
    checks.that(
        "backfill: the command that is shown goes on to the end",
        result.returncode == 0 and len(seen) == lines * 9 // 10,
        f"{command}: {result.returncode} {len(seen)} {result.stderr[-400:]}",
    )


def backfill_of_a_file_that_is_rewritten(checks, folder, bootstrap):
    own = folder / "rewritten"
    own.mkdir()
    pipeline = GOOD.replace('"numbers"', '"again"').replace('"numbers.dead"', '"again.dead"')
    (own / "again.pipeline").write_text(pipeline)
    data = own / "a.csv"
    data.write_text(CSV)
    command = ("backfill", own / "again.pipeline", data, "--state-dir", own / "state", "--yes")
    options = ("--max-errors", "9", "--json", "--progress", "none")
    kit.forktail(*command, "-b", bootstrap, *options)
    data.write_text("id,state\n" + "".join(f"{n},new\n" for n in range(100, 200)))
    result = kit.forktail(*command, "-b", bootstrap, *options, timeout=20)
    checks.that(
        "backfill: a file that was rewritten since the job read it is read from its start",
        result.returncode == 0 and json.loads(result.stdout)["sent"] == 100,
        f"{result.returncode} {result.stdout} {result.stderr[-400:]}",
    )
    lines = "".join(f"{n},new\n" for n in range(200_000))
    data.write_text("id,state\n" + lines)
    with FaultProxy(bootstrap) as proxy:
        process = subprocess.Popen(
            [
                *map(str, (kit.FORKTAIL, *command, "-b", proxy.bootstrap, *options)),
                *("--job", "two", "-X", "buffer.memory=300000", "-X", "max.request.size=100000"),
                *("-X", "batch.size=2000"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        kit.wait_until(lambda: proxy.requests[PRODUCE] > 5, 10)
        proxy.hold()
        data.write_text("id,state\n" + lines.replace("new", "odd"))
        proxy.release()
        try:
            output, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    checks.that(
        "backfill: a file that is rewritten while it is read ends it with 65, and is named",
        process.returncode == 65 and str(data) in errors.split("backfill.rewritten")[-1],
        f"{process.returncode} {output} {errors[-600:]}",
    )


def one_shots_of_a_damaged_file(checks, folder, bootstrap):
    """What is before the damage is sent, and the end says that it was not all."""
    own = folder / "cut"
    own.mkdir()
    (own / "a.log.gz").write_bytes(gzip.compress(b"1\n2\n3\n")[:-8])
    text = """
        from "a.log*"
        parse text
        send {
          topic = "damaged"
          key   = null
          value = @raw
        }
        on error stop
        """
    (own / "cut.pipeline").write_text(text)
    for name, words in (("backfill", ["--yes", "--progress", "none"]), ("run", ["--once"])):
        result = kit.forktail(
            *(name, own / "cut.pipeline", "-b", bootstrap, "--state-dir", own / name, *words)
        )
        checks.that(
            f"{' '.join([name, *words])} of a damaged file ends with 65, and names it",
            result.returncode == 65 and re.search(r"file\.damaged.*a\.log\.gz", result.stderr),
            f"{result.returncode} {result.stdout} {result.stderr[-600:]}",
        )
    records = sorted(message.value() for message in kit.read(bootstrap, ["damaged"]))
    checks.equal("what is before the damage is sent", records, sorted([b"1", b"2", b"3"] * 2))


def explain(checks, folder):
    result = kit.forktail("explain", "E301")
    checks.that(
        "explain E301: what it means, a wrong text and a right one",
        result.returncode == 0
        and result.stdout.startswith("E301 (error): ")
        and re.search(r"wrong\n.*key   = user\n.*right\n.*key   = user \?\? ", result.stdout, re.S),
        result.stdout,
    )
    result = kit.forktail("explain", "mask")
    checks.that(
        "explain mask: how it is called, and what comes of it",
        result.returncode == 0
        and result.stdout.startswith("mask(text, keep_last:, keep_first:) → string\n")
        and '→  "************1111"' in result.stdout,
        result.stdout,
    )
    result = kit.forktail("explain", "on", "error")
    checks.that("explain on error", result.returncode == 0 and "dead_letter" in result.stdout, result.stdout)
    result = kit.forktail("explain", "events")
    checks.that("explain events", result.returncode == 0 and "record.failed" in result.stdout, result.stdout)
    result = kit.forktail("explain")
    checks.that(
        "explain alone lists all",
        result.returncode == 0 and all(w in result.stdout for w in ("E603", "glob_capture", "@host", "enum", "send")),
        result.stdout,
    )
    result = kit.forktail("explain", "maks")
    checks.that(
        "explain: an unknown word ends with 64, and the one that was meant",
        result.returncode == 64 and not result.stdout and 'did you mean "mask"?' in result.stderr,
        f"{result.returncode} {result.stderr}",
    )


def the_rest(checks, folder):
    result = kit.forktail("version")
    checks.that("version", re.fullmatch(r"forktail \d+\.\d+\.\d+\S*\n", result.stdout), result.stdout)
    checks.equal("no such command ends with 64", kit.forktail("fly").returncode, 64)
    for words in (("--job", ""), ("--state-dir", "")):
        result = kit.forktail("backfill", folder / "good.pipeline", "-b", "127.0.0.1:1", *words)
        checks.that(
            f'backfill {words[0]} "" ends with 64, and says what it needs',
            result.returncode == 64 and f"{words[0]} needs" in result.stderr,
            f"{result.returncode} {result.stderr[-300:]}",
        )
    result = kit.forktail(
        *("backfill", folder / "good.pipeline", "-b", "127.0.0.1:1", "--connect-timeout", "0s"),
        *("--state-dir", folder / "state"),
    )
    checks.that(
        "backfill --connect-timeout 0s ends with 64, and says what it can be",
        result.returncode == 64 and "from 1ms to 1000000h" in result.stderr,
        f"{result.returncode} {result.stderr[-300:]}",
    )
    result = kit.forktail(
        *("run", folder / "good.pipeline", "-b", "127.0.0.1:1", "-X", "linger.sm=5"),
        *("--state-dir", folder / "state"),
    )
    checks.that(
        "an unknown producer property ends with 78, and the nearest name",
        result.returncode == 78 and "linger.ms" in result.stderr,
        f"{result.returncode} {result.stderr[-300:]}",
    )


def main():
    checks = kit.Checks()
    with kit.temporary_folder("commands") as folder:
        write(folder)
        for body in (
            check,
            check_of_truncated_files,
            check_warnings,
            include,
            test,
            dry_run,
            dry_run_reads_as_run_does,
            output_that_cannot_be_written,
            names_that_control_a_terminal,
            inputs_that_are_no_files,
            a_name_that_is_not_utf8,
            connection_errors,
            explain,
            the_rest,
        ):
            with checks.group(body.__name__):
                body(checks, folder)
        with kit.broker("forktail") as bootstrap:
            for body in (
                backfill,
                backfill_reads_a_file_once,
                backfill_goes_on,
                backfill_that_is_cut_off,
                backfill_of_a_file_that_is_rewritten,
                one_shots_of_a_damaged_file,
            ):
                with checks.group(body.__name__):
                    body(checks, folder, bootstrap)
    checks.finish()


if __name__ == "__main__":
    main()
