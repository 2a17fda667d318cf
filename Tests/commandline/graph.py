#!/usr/bin/env python3
"""`forktail graph`: files, steps and topics, for people and for programs.

    Tests/commandline/graph.py
"""

import json
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

PIPELINE = """
from "/srv/a*.csv"

parse csv(header: true) {
  id:     int
  region: enum("eu", "us")
  state:  string
}

drop "old" if state == "old"

if id > 100 {
  send {
    topic = "big"
    value = json(*)
  }
} else {
  send {
    topic = "orders.${region}"
    key   = id
    value = json(*)
  }
}

on error dead_letter "dead"
"""


def run(*arguments):
    words = [str(kit.FORKTAIL), "graph", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def said(result):
    return f"{result.returncode}\n{result.stdout}\n{result.stderr}"


def main():
    checks = kit.Checks()
    with kit.temporary_folder("graph") as folder:
        (folder / "one.pipeline").write_text(PIPELINE)
        (folder / "two.pipeline").write_text(PIPELINE.replace('"big"', '"big.${state}"'))
        result = run(folder / "one.pipeline")
        checks.that(
            "graph for people: files, drops with reasons, exact topics, dead letters",
            result.returncode == 0
            and result.stdout
            == f"""one  ({folder}/one.pipeline)
  from   /srv/a*.csv
  parse  csv
  drop "old" if state == "old"
  if id > 100
    send → big  no key
  else
    send → orders.eu, orders.us  key id
  on error → dead  (dead letter)
""",
            said(result),
        )
        result = run(folder, "--format", "json")
        found = json.loads(result.stdout)["pipelines"]
        checks.that(
            "graph --format json: one object with every pipeline of a folder",
            [pipeline["name"] for pipeline in found] == ["one", "two"]
            and found[1]["steps"][1]["branches"][0]["steps"][0]["topics"] == ["big.*"]
            and found[1]["on_error"] == {"policy": "dead_letter", "topics": ["dead"], "exact": True},
            said(result),
        )
        result = run(folder, "--format", "mermaid")
        checks.that(
            "graph --format mermaid: pipelines meet at their topics",
            result.stdout.startswith("flowchart LR\n") and result.stdout.count('[("orders.eu")]') == 1,
            said(result),
        )
        result = run(folder, "--format", "dot")
        checks.that(
            "graph --format dot",
            result.stdout.startswith("digraph pipelines {\n")
            and result.stdout.endswith("}\n")
            and result.stdout.count('label="orders.eu"') == 1,
            said(result),
        )
        (folder / "wrong.pipeline").write_text(PIPELINE.replace("key   = id", "key = idd"))
        result = run(folder / "wrong.pipeline")
        checks.that(
            "graph of a wrong pipeline ends with 78 and its errors",
            result.returncode == 78 and "E201" in result.stderr and result.stdout == "",
            said(result),
        )
    checks.finish()


main()
