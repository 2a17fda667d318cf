#!/usr/bin/env python3
"""`forktail fmt` and `forktail export`: what they write, what they leave alone, and how they end.

    Tests/commandline/fmt.py
"""

import json
import os
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

UGLY = """from "/srv/*.csv"
parse csv(header:true) { id:int
  state:string }   # columns
send { topic="numbers"
  key=id
value=json(*) }
on error stop
"""

TIDY = """from "/srv/*.csv"

parse csv(header: true) {
  id:    int
  state: string
}  # columns

send {
  topic = "numbers"
  key   = id
  value = json(*)
}

on error stop
"""

BROKEN = UGLY.replace("key=id", "key=)")


def from_input(text, *arguments, command="fmt"):
    command = [str(kit.FORKTAIL), command, *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)


def in_place(checks, folder):
    ugly, tidy = folder / "ugly.pipeline", folder / "tidy.pipeline"
    ugly.write_text(UGLY)
    tidy.write_text(TIDY)
    ugly.chmod(0o640)
    os.utime(tidy, (1, 1))
    link = folder / "link.pipeline"
    link.symlink_to(ugly.name)
    result = kit.forktail("fmt", link, tidy)
    checks.equal("fmt: ends with 0", result.returncode, 0)
    checks.equal("fmt: lays the file out", ugly.read_text(), TIDY)
    checks.equal("fmt: keeps its mode", ugly.stat().st_mode & 0o777, 0o640)
    checks.that("fmt: leaves a link a link", link.is_symlink())
    checks.equal("fmt: does not touch a file that is right", tidy.stat().st_mtime, 1)
    checks.that(
        "fmt: says how many it changed, and nothing on standard output",
        result.stderr == "1 of 2 files changed\n" and result.stdout == "",
        result.stderr + result.stdout,
    )
    checks.equal("fmt: leaves nothing beside it", len(list(folder.iterdir())), 3)
    result = kit.forktail("fmt", "-q", ugly)
    checks.that(
        "fmt: a second time changes nothing", ugly.read_text() == TIDY and result.stderr == ""
    )


def reports(checks, folder):
    (folder / "ugly.pipeline").write_text(UGLY)
    (folder / "tidy.pipeline").write_text(TIDY)
    result = kit.forktail("fmt", "--check", folder)
    checks.that(
        "fmt --check: ends with 1 and names the file",
        result.returncode == 1 and result.stdout == f"{folder}/ugly.pipeline\n",
        f"{result.returncode} {result.stdout}",
    )
    result = kit.forktail("fmt", "--check", folder / "tidy.pipeline")
    checks.that(
        "fmt --check: ends with 0 and names none", result.returncode == 0 and result.stdout == ""
    )
    result = kit.forktail("fmt", "--diff", folder)
    checks.that(
        "fmt --diff: ends with 0 and shows the change",
        result.returncode == 0
        and f"--- {folder}/ugly.pipeline\n" in result.stdout
        and "\n-  key=id\n" in result.stdout
        and "\n+  key   = id\n" in result.stdout,
        result.stdout,
    )
    checks.equal("fmt: neither writes", (folder / "ugly.pipeline").read_text(), UGLY)
    patched = subprocess.run(
        ["patch", "-p0", "-o", "-", folder / "ugly.pipeline"],
        input=result.stdout,
        capture_output=True,
        text=True,
    )
    checks.equal("fmt --diff: `patch` takes it", patched.stdout, TIDY)
    result = kit.forktail("fmt", "--check", "--diff", folder)
    checks.that(
        "fmt --check --diff: shows it and ends with 1",
        result.returncode == 1 and "\n+  key   = id\n" in result.stdout,
    )


def standard_input(checks, folder):
    result = from_input(UGLY, "-")
    checks.that(
        "fmt -: from standard input to standard output",
        result.returncode == 0 and result.stdout == TIDY and result.stderr == "",
        result.stdout + result.stderr,
    )
    result = from_input(UGLY, "--check", "-")
    checks.that(
        "fmt --check -: ends with 1",
        result.returncode == 1 and result.stdout == "standard input\n",
        result.stdout,
    )
    result = from_input(UGLY, "-", folder / "x.pipeline")
    checks.equal("fmt: - stands alone (64)", result.returncode, 64)


def refusals(checks, folder):
    (folder / "a.pipeline").write_text(UGLY)
    (folder / "b.pipeline").write_text(BROKEN)
    result = kit.forktail("fmt", folder)
    checks.that(
        "fmt: a file that cannot be read ends it with 65, and its error is shown",
        result.returncode == 65
        and "error[E102]" in result.stderr
        and "b.pipeline:5:7" in result.stderr
        and "1 error in 1 of 2 files" in result.stderr,
        f"{result.returncode} {result.stderr}",
    )
    checks.that(
        "fmt: then no file is written",
        (folder / "a.pipeline").read_text() == UGLY
        and (folder / "b.pipeline").read_text() == BROKEN,
    )
    result = from_input(BROKEN, "-")
    checks.that(
        "fmt -: prints nothing then", result.returncode == 65 and result.stdout == "", result.stdout
    )
    result = kit.forktail("fmt", folder / "absent.pipeline")
    checks.equal("fmt: a file that is not there ends it with 66", result.returncode, 66)
    if os.geteuid() == 0:
        return
    folder.chmod(0o500)
    result = kit.forktail("fmt", folder / "a.pipeline")
    folder.chmod(0o700)
    checks.that(
        "fmt: a folder that cannot be written to ends it with 73",
        result.returncode == 73 and "cannot be replaced: Permission denied" in result.stderr,
        result.stderr,
    )


def ready_made(checks, folder):
    """What is shipped means the same when it is laid out anew."""
    result = kit.forktail("fmt", "--check", kit.ROOT / "pipelines", kit.ROOT / "examples/quickstart")
    checks.that("fmt: what is shipped is laid out", result.returncode == 0, result.stdout)
    names = sorted(path.name for path in (kit.ROOT / "pipelines").glob("*.pipeline"))
    for name in names:
        (folder / name).write_bytes((kit.ROOT / "pipelines" / name).read_bytes())
    before = kit.forktail("test", folder)
    checks.equal("fmt: lays the ready-made pipelines out", kit.forktail("fmt", folder).returncode, 0)
    after = kit.forktail("test", folder)
    checks.that(
        f"fmt: the tests of {len(names)} ready-made pipelines end as before",
        names and before.returncode == 0 and after.stdout == before.stdout,
        after.stdout + after.stderr,
    )
    checks.equal("fmt: a second time changes none", kit.forktail("fmt", "--check", folder).returncode, 0)


def export(checks, folder):
    pipeline, tree = folder / "numbers.pipeline", folder / "numbers.json"
    pipeline.write_text(UGLY)
    result = kit.forktail("export", pipeline)
    found = json.loads(result.stdout or "{}")
    checks.that(
        "export: prints the tree as JSON",
        result.returncode == 0
        and found["version"] == 1
        and found["pipeline"] == "numbers"
        and found["parse"][0]["columns"][0] == {"name": "id", "type": {"name": "int"}}
        and found["on_error"] == [{"do": "stop"}],
        result.stdout + result.stderr,
    )
    tree.write_text(json.dumps(found))
    result = kit.forktail("export", "--from-json", tree)
    # Comments are not part of the tree.
    wanted = TIDY.replace("  # columns", "")
    checks.equal("export --from-json: prints the pipeline", result.stdout, wanted)
    result = from_input(wanted, "-", command="export")
    checks.equal("export -: reads standard input", json.loads(result.stdout)["steps"], found["steps"])
    found["steps"][0]["do"] = "sned"
    result = from_input(json.dumps(found), "--from-json", "-", command="export")
    checks.that(
        "export --from-json: what is no pipeline ends it with 65, and its place is named",
        result.returncode == 65 and 'steps[0]: there is no statement "sned"' in result.stderr,
        f"{result.returncode} {result.stderr}",
    )
    result = from_input(BROKEN, "-", command="export")
    checks.that(
        "export: a file that cannot be read ends it with 65",
        result.returncode == 65 and "error[E102]" in result.stderr and result.stdout == "",
        f"{result.returncode} {result.stderr}",
    )
    checks.equal("export: without a file ends with 64", kit.forktail("export").returncode, 64)


def export_ready_made(checks, folder):
    """What is shipped comes back from JSON and passes its tests."""
    for path in sorted((kit.ROOT / "pipelines").glob("*.pipeline")):
        (folder / "tree.json").write_text(kit.forktail("export", path).stdout)
        back = kit.forktail("export", "--from-json", folder / "tree.json").stdout
        (folder / path.name).write_text(back)
    result = kit.forktail("test", folder)
    before = kit.forktail("test", kit.ROOT / "pipelines")
    checks.that(
        "export: the tests of ready-made pipelines end as before",
        result.returncode == 0 and result.stdout == before.stdout,
        result.stdout + result.stderr,
    )


def main():
    checks = kit.Checks()
    for body in (in_place, reports, standard_input, refusals, ready_made, export, export_ready_made):
        with checks.group(body.__name__), kit.temporary_folder("fmt") as folder:
            body(checks, folder)
    checks.finish()


if __name__ == "__main__":
    main()
