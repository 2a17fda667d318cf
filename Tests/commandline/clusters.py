#!/usr/bin/env python3
"""`send to NAME`: what of a pipeline goes to another cluster, each exactly once in any trouble.

    Tests/commandline/clusters.py [NAME]
"""

import json
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

PIPELINE = """
from "logs/*.log"

parse text

if message =~ '^[a-z]{500}' {
  send { topic = "lines"  value = "long" }
  send to far-away { topic = "even"  value = message }
} else {
  let number = int(message)
  send { topic = "lines"  key = number  value = message }
  if number % 2 == 0 {
    send to far-away { topic = "even"  key = number  value = message }
  }
}

on error dead_letter "dead"

test "an even number goes to both" {
  input '''
    4
    '''
  expect to main     { topic = "lines"  key = "4" }
  expect to far-away { topic = "even" }
}
"""

ONLY = """
from "logs/*.log"
parse text
send to far-away { topic = "even"  value = message }
on error skip
"""

MODES = ["exactly_once", "transactional", "at_least_once"]


class Setup:
    """A folder with two clusters, a pipeline that sends to both, its logs and its state."""

    def __init__(self, folder, main, far, text=PIPELINE):
        self.folder, self.main, self.far = folder, main, far
        (folder / "logs").mkdir(parents=True)
        (folder / "pipelines").mkdir()
        (folder / "pipelines" / "lines.pipeline").write_text(text.replace("logs/", "../logs/"))
        self.configure()

    def configure(self):
        (self.folder / "forktail.conf").write_text(
            f"""
            state_dir = "state"
            pipelines = pipelines
            kafka main     {{ bootstrap.servers = "{self.main}"  linger.ms = 5 }}
            kafka far-away {{ bootstrap.servers = "{self.far}"  compression.type = none }}
            """
        )

    def append(self, lines, name="a.log"):
        with open(self.folder / "logs" / name, "a") as file:
            file.write("".join(f"{line}\n" for line in lines))

    def config(self, *arguments):
        return ["--config", self.folder / "forktail.conf", *arguments]

    def forktail(self, command, *arguments):
        return kit.forktail(command, *arguments, *self.config())

    def service(self, *arguments):
        return kit.Service(self.folder / "run.log", *self.config("--start", "beginning", *arguments))

    def values(self, bootstrap, topic):
        options = {"isolation.level": "read_committed"}
        return [m.value().decode() for m in kit.read(bootstrap, [topic], **options)]

    def lines(self):
        return self.values(self.main, "lines")

    def even(self):
        return self.values(self.far, "even")


def all_once(values, count, step=1):
    return sorted(map(int, values)) == list(range(0, count, step))


def each_mode(checks, folder):
    for mode in MODES:
        with kit.broker("forktail") as main, kit.broker("forktail") as far:
            setup = Setup(folder / mode, main, far)
            setup.append(range(5000))
            setup.append(["no number"])
            result = setup.forktail("run", "--once", "--delivery", mode)
            checks.equal(f"{mode}: run --once ends with 0", result.returncode, 0)
            checks.that(f"{mode}: the own cluster has all", all_once(setup.lines(), 5000))
            checks.that(f"{mode}: the other what is sent to it", all_once(setup.even(), 5000, 2))
            checks.equal(f"{mode}: a dead letter goes home", setup.values(main, "dead"), ["no number"])
            checks.equal(f"{mode}: and nowhere else", setup.values(far, "dead"), [])
            again = setup.forktail("run", "--once", "--delivery", mode)
            checks.equal(
                f"{mode}: nothing is sent again",
                (again.returncode, len(setup.lines()), len(setup.even())),
                (0, 5000, 2500),
            )


def kills(checks, folder):
    with kit.broker("forktail") as main, kit.broker("forktail") as far:
        setup = Setup(folder, main, far)
        count = 0
        for _ in range(6):
            with setup.service() as service:
                before = len(setup.lines()), len(setup.even())
                setup.append(range(count, count + 30_000))
                count += 30_000
                # Both are in the middle of it, or one of them is.
                kit.wait_until(lambda: (len(setup.lines()), len(setup.even())) > before, 20)
                service.kill()
        result = setup.forktail("run", "--once")
        checks.equal("after six kills it ends with 0", result.returncode, 0)
        checks.that("the own cluster has all once", all_once(setup.lines(), count))
        checks.that("so has the other", all_once(setup.even(), count, 2))
        result = setup.forktail("verify", setup.folder / "pipelines", "--state-dir", setup.folder / "state")
        checks.that(
            "verify says it of both",
            result.returncode == 0
            and result.stdout.count("no gap, no repeat, right order") == 2
            and f"{count // 2:,}".replace(",", " ") + " records of 1 files" in result.stdout
            and "of dead, even in far-away" in result.stdout,
            f"{result.returncode} {result.stdout} {result.stderr}",
        )
        result = setup.forktail(
            "verify", setup.folder / "pipelines", "--state-dir", setup.folder / "state", "-t", "even", "--json"
        )
        report = json.loads(result.stdout)
        checks.equal(
            "a topic that is named is looked for where the pipeline sends it",
            (report["cluster"], report["topics"], report["records"]),
            ("far-away", ["even"], count // 2),
        )
        result = setup.forktail("run", "--once", "--cluster", "far-away")
        checks.that(
            "a state directory does not take another cluster for its own",
            result.returncode == 78 and "`far-away` is another cluster to" in result.stderr,
            f"{result.returncode} {result.stderr}",
        )
        checks.equal("and nothing is sent again", (len(setup.lines()), len(setup.even())), (count, count // 2))


def one_is_away(checks, folder):
    with kit.broker("forktail") as main:
        setup = Setup(folder, main, f"127.0.0.1:{kit.free_port()}")
        setup.append(range(2000))
        with setup.service() as service:
            checks.that(
                "a cluster that is away keeps no other waiting",
                kit.wait_until(lambda: len(setup.lines()) == 2000, 20, every=0.1),
                service.log[-800:],
            )
            result = setup.forktail("status", "--state-dir", setup.folder / "state")
            checks.that(
                "status shows both",
                result.returncode == 0 and "\nkafka far-away\n" in result.stdout
                and result.stdout.count("running, process") == 2,
                f"{result.returncode} {result.stdout}",
            )
            with kit.broker("forktail", port=int(setup.far.rsplit(":", 1)[1])):
                checks.that(
                    "what it missed comes when it is back",
                    kit.wait_until(lambda: len(setup.even()) == 1000, 30, every=0.1),
                    service.log[-800:],
                )
                checks.equal("SIGTERM ends both", service.terminate(), 0)
                checks.that("all is there once", all_once(setup.even(), 2000, 2))
        result = setup.forktail("checkpoints", "list", "--json")
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        checks.equal(
            "checkpoints list knows both",
            [(row.get("cluster"), row["offset"] == row["size"]) for row in rows if "offset" in row],
            [(None, True), ("far-away", True)],
        )
        result = setup.forktail("status", "--state-dir", setup.folder / "state", "--json")
        status = json.loads(result.stdout)
        checks.equal(
            "status --json has the other under its name",
            (result.returncode, status["is_running"], status["clusters"]["far-away"]["is_running"]),
            (2, False, False),
        )


def only_the_other(checks, folder):
    with kit.broker("forktail") as far:
        setup = Setup(folder, "127.0.0.1:1", far, ONLY)
        setup.append(range(100))
        result = setup.forktail("run", "--once", "--require-kafka")
        checks.equal("a cluster that gets nothing need not be there", result.returncode, 0)
        checks.that("the other has it all", all_once(setup.even(), 100))
        checks.that("nor are checkpoints made for it", not (setup.folder / "state" / "checkpoints.db").exists())
        result = setup.forktail("status", "--state-dir", setup.folder / "state")
        checks.that("status has the other alone", result.stdout.startswith("\nkafka far-away\n"), result.stdout)


def a_refusal_stays_where_it_is(checks, folder):
    with kit.broker("forktail") as main, kit.broker("noida") as far:
        setup = Setup(folder, main, far)
        kit.create_topics(far, {"even": 1, "dead": 1}, {"even": {"max.message.bytes": "600"}})
        long = "".join(chr(97 + i * 7 % 26) for i in range(900))
        setup.append([1, 2, long, 4])
        result = setup.forktail("run", "--once")
        checks.equal("run --once ends with 0", result.returncode, 0)
        checks.equal("the own cluster has all", sorted(setup.lines()), ["1", "2", "4", "long"])
        checks.equal("the other has what it takes", setup.even(), ["2", "4"])
        checks.equal("its dead letter is there", setup.values(far, "dead"), [long])
        checks.equal("and not here", setup.values(main, "dead"), [])


def every_answer_once(checks, folder):
    """An `on error` of several sends, to topics that nobody knows yet."""
    answers = "".join(f'  send {{ topic = "dead{n}"  value = @raw }}\n' for n in range(3))
    text = PIPELINE.replace('on error dead_letter "dead"', f"on error {{\n{answers}}}")
    with kit.broker("forktail") as main, kit.broker("noida") as far:
        setup = Setup(folder, main, far, text)
        kit.create_topics(far, {"even": 1}, {"even": {"max.message.bytes": "600"}})
        long = "".join(chr(97 + i * 7 % 26) for i in range(900))
        setup.append([long])
        result = setup.forktail("run", "--once")
        checks.equal("several answers: run --once ends with 0", result.returncode, 0)
        found = [len(setup.values(far, f"dead{n}")) for n in range(3)]
        checks.equal("each answer is there once", found, [1, 1, 1])


def update(checks, folder):
    setup = Setup(folder, "127.0.0.1:1", "127.0.0.1:1")
    pipeline = setup.folder / "pipelines" / "lines.pipeline"
    test = "\ntest \"both\" {\n  input '''\n    8\n    '''\n  expect { }\n  expect { }\n}\n"
    pipeline.write_text(pipeline.read_text() + test)
    result = setup.forktail("test", "--update", pipeline)
    checks.that(
        "test --update writes where a record goes",
        result.returncode == 0 and "expect to far-away {" in pipeline.read_text(),
        f"{result.returncode} {result.stdout} {result.stderr}",
    )


def backfill(checks, folder):
    with kit.broker("forktail") as main, kit.broker("forktail") as far:
        setup = Setup(folder, main, far)
        setup.append(range(3000))
        arguments = [setup.folder / "pipelines" / "lines.pipeline", "--json", "--progress", "none", "-y", "--job", "j"]
        result = setup.forktail("backfill", *arguments)
        summaries = [json.loads(line) for line in result.stdout.splitlines()]
        checks.equal(
            "backfill serves one after the other",
            (result.returncode, [(s.get("cluster"), s["read"], s["sent"], s["dropped"]) for s in summaries]),
            (0, [(None, 3000, 3000, {}), ("far-away", 3000, 1500, {"sent to another cluster": 1500})]),
        )
        checks.that("both have theirs", all_once(setup.lines(), 3000) and all_once(setup.even(), 3000, 2))
        result = setup.forktail("backfill", *arguments)
        summaries = [json.loads(line) for line in result.stdout.splitlines()]
        checks.equal("the job is done in both", [s["finished_before"] for s in summaries], [True, True])


def check(checks, folder):
    with kit.broker("forktail") as main, kit.broker("forktail") as far:
        setup = Setup(folder, main, far)
        kit.create_topics(main, {"lines": 3, "dead": 1})
        kit.create_topics(far, {"dead": 1})
        result = setup.forktail("check", "--kafka")
        checks.that(
            "check --kafka asks each cluster for its own topics",
            result.returncode == 78
            and result.stderr.count("error[E604]") == 2
            and "there is no topic `even`" in result.stderr
            and "not there, in the cluster `far-away`" in result.stderr,
            f"{result.returncode} {result.stdout} {result.stderr}",
        )
        kit.create_topics(far, {"even": 2})
        result = setup.forktail("check", "--kafka")
        checks.equal(
            "and has a line for each",
            (result.returncode, result.stdout.splitlines()),
            (
                0,
                [
                    "dead: 1 partition, may be written and read",
                    "lines: 3 partitions, may be written and read",
                    "dead in far-away: 1 partition, may be written and read",
                    "even in far-away: 2 partitions, may be written and read",
                    "1 pipeline ok",
                ],
            ),
        )
        result = setup.forktail("test", setup.folder / "pipelines")
        checks.equal("its test passes", result.returncode, 0)
        sample = setup.folder / "sample"
        sample.write_text("4\n")
        result = setup.forktail("try", setup.folder / "pipelines" / "lines.pipeline", sample, "--format", "json")
        records = [json.loads(line) for line in result.stdout.splitlines()]
        checks.equal(
            "try says where each record goes",
            [(record["topic"], record.get("cluster")) for record in records],
            [("lines", None), ("even", "far-away")],
        )
        setup.far = ""
        (setup.folder / "forktail.conf").write_text(
            f'pipelines = pipelines\nkafka main {{ bootstrap.servers = "{main}" }}\nkafka far-away {{ }}\n'
        )
        result = setup.forktail("run", "--once")
        checks.that(
            "a cluster without brokers is an error before anything is read",
            result.returncode == 78 and "`kafka far-away` has no bootstrap.servers" in result.stderr,
            f"{result.returncode} {result.stderr}",
        )


GROUPS = [
    each_mode, kills, one_is_away, only_the_other, a_refusal_stays_where_it_is, every_answer_once,
    update, backfill, check,
]


def main():
    checks = kit.Checks()
    chosen = [group for group in GROUPS if sys.argv[1:] in ([], [group.__name__])]
    for group in chosen:
        with kit.temporary_folder("clusters") as folder, checks.group(group.__name__):
            group(checks, folder)
    checks.finish()


if __name__ == "__main__":
    main()
