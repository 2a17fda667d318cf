#!/usr/bin/env python3
"""The flags of `forktail test` and `forktail try`.

    Tests/commandline/testing.py
"""

import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

PIPELINE = """
from "*.csv"

parse csv(header: true) {
  id:    int
  state: string
}

drop "old" if state == "old"
reject "negative" if id < 0

if state == "new" {
  set state = match { id > 100 => "big", else => "small" }
}

send {
  topic = "numbers"
  key   = id
  headers { host = @host }
  value = json(*)
}

on error dead_letter "numbers.dead"

test "a number is sent" {
  input '''
    id,state
    7,new
    8,old
    x,new
    '''
  expect { topic = "numbers"  key = "7"  headers { host = "localhost" } }
  expect drop "old"
  expect dead_letter
}

test "a <big> & \\"bad\\" one" {
  input '''
    id,state
    700,new
    '''
  expect { key = "8"  value has { state: "big" } }
}
"""


def run(*arguments, input=None):
    words = [str(kit.FORKTAIL), *map(str, arguments)]
    return subprocess.run(words, input=input, capture_output=True, text=True, timeout=60)


def said(result):
    return f"{result.returncode}\n{result.stdout}\n{result.stderr}"


def failures(checks, pipeline):
    result = run("test", pipeline)
    checks.that(
        "test: a failure shows what was expected over what was found, with its place",
        result.returncode == 1
        and f"{pipeline}:42: key\n        expected \"8\"\n        found    \"700\"\n" in result.stdout
        and "1 passed, 1 failed" in result.stdout,
        said(result),
    )
    result = run("test", pipeline, "--filter", "^a num|nothing")
    checks.that(
        "test --filter takes a regular expression",
        result.returncode == 0 and "1 passed, 0 failed" in result.stdout,
        said(result),
    )
    result = run("test", pipeline, "--filter", "a(")
    checks.that(
        "test --filter: what is no regular expression ends with 64",
        result.returncode == 64 and "no regular expression" in result.stderr,
        said(result),
    )
    result = run("test", pipeline, "--filter", "nobody")
    checks.that(
        "test --filter: that matches nothing ends with 64 and lists the tests",
        result.returncode == 64 and "a number is sent" in result.stderr,
        said(result),
    )


def formats(checks, pipeline):
    result = run("test", pipeline, "--format", "json", "--coverage")
    found = json.loads(result.stdout)
    checks.that(
        "test --format json is one object",
        result.returncode == 1
        and (found["passed"], found["failed"]) == (1, 1)
        and [test["passed"] for test in found["tests"]] == [True, False]
        and found["tests"][1]["failures"]
        == [{"line": 42, "subject": "key", "expected": '"8"', "found": '"700"'}],
        said(result),
    )
    unreached = [place for place in found["coverage"] if not place["reached"]]
    checks.that(
        "test --coverage lists what no test reached, with its place",
        [(place["line"], place["kind"]) for place in unreached] == [(10, "reject")],
        said(result),
    )
    result = run("test", pipeline, "--coverage", "--filter", "number")
    checks.that(
        "test --coverage for people",
        f'{pipeline}:10:1: no test reaches `reject "negative" if id < 0`' in result.stdout
        and 'no test reaches `id > 100 => "big"`' in result.stdout
        and "reached 4 of 6 places" in result.stdout,
        said(result),
    )
    result = run("test", pipeline, "--format", "junit")
    tree = xml.etree.ElementTree.fromstring(result.stdout)
    cases = tree.findall("./testsuite/testcase")
    checks.that(
        "test --format junit is XML, escaped",
        (tree.get("tests"), tree.get("failures")) == ("2", "1")
        and [case.get("name") for case in cases] == ["a number is sent", 'a <big> & "bad" one']
        and cases[0].find("failure") is None
        and 'expected "8"' in cases[1].find("failure").get("message"),
        said(result),
    )


def update(checks, folder):
    path = folder / "update.pipeline"
    before = PIPELINE.replace('expect { key = "8"  value has { state: "big" } }', "expect { }")
    before = before.replace('expect drop "old"', "expect {}  # dropped?")
    path.write_text(before)
    path.chmod(0o640)
    link = folder / "link.pipeline"
    link.symlink_to(path)
    result = run("test", link, "--update")
    written = """expect {
    topic = "numbers"
    key   = "700"
    headers {
      host = "localhost"
    }
    value = { id: 700, state: "big" }
  }"""
    wanted = before.replace("expect { }", written).replace("expect {}", 'expect drop "old"')
    checks.that(
        "test --update writes into each empty expect, and nowhere else",
        result.returncode == 0
        and path.read_text() == wanted
        and "updated 2 expects" in result.stderr
        and "2 passed, 0 failed" in result.stdout,
        said(result) + path.read_text(),
    )
    checks.that(
        "test --update keeps the mode of the file, and links",
        path.stat().st_mode & 0o777 == 0o640 and link.is_symlink(),
    )
    again = run("test", path, "--update")
    checks.that(
        "test --update of a file without an empty expect changes nothing",
        again.returncode == 0 and path.read_text() == wanted and again.stderr == "",
        said(again),
    )
    checks.equal("test --update leaves nothing behind", sorted(folder.glob("*.new")), [])


def stages(checks, folder, pipeline):
    rows = "id,state\n1,new\n2,old\nx,new\n"

    def shown(*arguments):
        result = run("try", pipeline, "-", "--format", "json", *arguments, input=rows)
        return result, [json.loads(line) for line in result.stdout.splitlines()]

    result, found = shown("--stage", "raw")
    checks.that(
        "try --stage raw shows each event, and none fails",
        result.returncode == 0
        and [row["value"] for row in found] == rows.splitlines()
        and [row["line"] for row in found] == [1, 2, 3, 4],
        said(result),
    )
    result, found = shown("--stage", "parsed")
    checks.that(
        "try --stage parsed shows fields before any step, and what cannot be parsed",
        result.returncode == 65
        and [row.get("fields") for row in found]
        == [{"id": 1, "state": "new"}, {"id": 2, "state": "old"}, None]
        and found[2]["fate"] == "dead_letter",
        said(result),
    )
    result, found = shown("--stage", "all")
    checks.that(
        "try --stage all shows all of it, in order",
        [row.get("stage") or row["fate"] for row in found]
        == ["raw", *["raw", "parsed", "sent"], *["raw", "parsed", "dropped"], *["raw", "dead_letter"]],
        said(result),
    )
    result, found = shown("--limit", "2")
    checks.that(
        "try --limit stops after so many outcomes",
        result.returncode == 0 and [row["fate"] for row in found] == ["sent", "dropped"],
        said(result),
    )
    result = run("try", pipeline, "-", "--format", "kcat", input=rows)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    checks.that(
        "try --format kcat prints the records as kcat -J does",
        [(row["topic"], row["key"], row["payload"]) for row in found]
        == [
            ("numbers", "1", '{"id":1,"state":"small"}'),
            ("numbers.dead", None, "x,new"),
        ]
        and found[0]["headers"][0] == "host",
        said(result),
    )
    result = run("try", pipeline, "-", "--format", "kcat", "--stage", "all", input=rows)
    checks.equal("try --format kcat refuses other stages (64)", result.returncode, 64)


def control_characters(checks, folder, pipeline):
    text = "id,state\n1,a\x1b[2Jb\n"
    for stage in ("raw", "parsed", "sent", "all"):
        result = run("try", pipeline, "-", "--stage", stage, input=text)
        checks.that(
            f"try --stage {stage}: no control character reaches the terminal",
            result.returncode == 0 and "\x1b" not in result.stdout and "a" in result.stdout,
            said(result),
        )
    evil = folder / "e\x1b[31mvil.pipeline"
    evil.write_text(PIPELINE.replace("key   = id", "key   = \x1bidd"))
    for flags in ([], ["--format", "gcc"]):
        result = run("check", "--color", "never", evil, *flags)
        checks.that(
            f"check {' '.join(flags)}: nor does one of a pipeline's name or text",
            result.returncode == 78 and "\x1b" not in result.stderr + result.stdout,
            said(result),
        )


def main():
    checks = kit.Checks()
    with kit.temporary_folder("testing") as folder:
        pipeline = folder / "numbers.pipeline"
        pipeline.write_text(PIPELINE)
        for part in (failures, formats):
            with checks.group(part.__name__):
                part(checks, pipeline)
        with checks.group("update"):
            update(checks, folder)
        for part in (stages, control_characters):
            with checks.group(part.__name__):
                part(checks, folder, pipeline)
    checks.finish()


main()
