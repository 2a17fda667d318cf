#!/usr/bin/env python3
"""`forktail init`: what it writes passes its own check and test, and reads the sample.

    Tests/commandline/init.py
    Tests/commandline/init.py FILE…    says of each file how much of it the guess reads
"""

import gzip
import json
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

COMBINED = (
    '203.0.113.%d - - [23/Nov/2026:10:00:%02d +0000] "GET /a?b=%d HTTP/1.1" 200 157 "-" "curl/8.5"'
)
LOG4J = """2026-11-23 10:00:%02d,120 ERROR [http-%d] c.shop.Cart - checkout %d failed
java.lang.IllegalStateException: no stock
\tat c.shop.Cart.pay(Cart.java:42)"""


def samples():
    """Name, content, what the format begins with, how many records."""
    numbers = range(1, 41)
    yield (
        *("orders.csv", "id;name;sum;at\n"),
        "".join(f"{n};\"a;\"\"{n}\"\"\nb\";{n}.50;2026-11-23 10:00:{n:02}\n" for n in numbers),
        *('csv(header: true, separator: ";")', 40),
    )
    yield "plain.csv", "", "".join(f'"00{n}","x",{n}\r\n' for n in numbers), "csv(header: false)", 40
    yield "table.tsv", "a\tb\n", "".join(f"{n}\tx\n" for n in numbers), 'csv(header: true, sep', 40
    objects = [{"id": n, "at": 1795428000000 + n, "in": {"x": [n]}, "a b": "\u00fc\n"} for n in numbers]
    yield "app.json", "", "".join(json.dumps(o) + "\n" for o in objects), "json", 40
    yield "access.log", "", "".join(COMBINED % (n, n, n) + "\n" for n in numbers), "nginx_combined", 40
    yield "cart.log", "", "".join(LOG4J % (n, n, n) + "\n" for n in numbers), "regex('(?s)^", 40
    yield (
        *("auth.log", ""),
        "".join(f"Dec 10 06:55:{n:02} host sshd[{n}]: Invalid user a \n" for n in numbers),
        *("syslog", 40),
    )
    yield (
        *("error.log", ""),
        "".join(f"[Sun Dec 04 04:47:{n:02} 2005] [notice] child {n} ok\n" for n in numbers),
        *("regex('^", 40),
    )
    yield "words.txt", "", "one\n'''\n  two \x1b[1m \"\"\" ${x} \\\nthree", "text", 4


def run(*arguments, **options):
    words = [str(kit.FORKTAIL), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, **options)


def said(result):
    return f"{result.returncode}\n{result.stdout}\n{result.stderr}"


def trial(folder, sample, name):
    """Guesses a pipeline; gives what it said of itself, check, test and try."""
    made = run("init", name, "--from", sample, cwd=folder)
    path = folder / f"{name}.pipeline"
    checked = run("check", "--strict", path)
    tested = run("test", path)
    tried = run("try", path, sample, "--format", "json")
    fates = [json.loads(line)["fate"] for line in tried.stdout.splitlines()]
    return made, checked, tested, fates


def guesses(checks, folder):
    for number, (name, head, body, wanted, count) in enumerate(samples()):
        sample = folder / name
        sample.write_bytes((head + body).encode())
        made, checked, tested, fates = trial(folder, sample, f"p{number}")
        written = (folder / f"p{number}.pipeline").read_text()
        checks.that(
            f"init --from {name}: all of it is read, by {wanted}",
            made.returncode == 0
            and f"parse {wanted}" in written
            and f"it reads {count} of {count} records" in made.stderr
            and fates == ["sent"] * count,
            f"{said(made)}\n{fates}\n{written}",
        )
        checks.that(
            f"init --from {name}: check --strict and test have nothing to say",
            checked.returncode == 0 and tested.returncode == 0 and "1 passed" in tested.stdout,
            f"{said(checked)}\n{said(tested)}\n{written}",
        )


def others(checks, folder):
    own = folder / "others"
    own.mkdir()
    result = run("init", "app", cwd=own)
    path = own / "app.pipeline"
    tested = run("test", "--coverage", path)
    checks.that(
        "init without a sample writes a starter that passes its test",
        result.returncode == 0
        and run("check", path).returncode == 0
        and tested.returncode == 0
        and "1 passed" in tested.stdout,
        f"{said(result)}\n{said(tested)}",
    )
    before = path.read_text()
    for arguments in (["app"], ["app.pipeline"], ["app", "--from", path]):
        result = run("init", *arguments, cwd=own)
        checks.that(
            f"init {' '.join(map(str, arguments[:2]))} refuses to overwrite (73)",
            result.returncode == 73 and "is there already" in result.stderr,
            said(result),
        )
    checks.equal("and leaves the file as it is", path.read_text(), before)
    checks.equal("init of a missing sample ends with 66", run("init", "b", "--from", own / "no", cwd=own).returncode, 66)
    (own / "empty").write_text("\n\n")
    (own / "wide").write_bytes("a\nb\n".encode("utf-16"))
    for name in ("empty", "wide"):
        result = run("init", "b", "--from", own / name, cwd=own)
        checks.that(
            f"init of a sample that is {name} ends with 65, and writes nothing",
            result.returncode == 65 and not (own / "b.pipeline").exists(),
            said(result),
        )
    checks.equal("init of a folder that is not there ends with 73", run("init", "no/b", cwd=own).returncode, 73)
    checks.equal("init without a name to go by ends with 64", run("init", "a/", cwd=own).returncode, 64)
    result = run("init", "c", "--from", "-", cwd=own, input="a,b\n1,2\n3,4\n")
    checks.that(
        "init --from - reads standard input",
        result.returncode == 0 and run("test", own / "c.pipeline").returncode == 0,
        said(result),
    )
    packed = own / "rows.csv.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbfid,b\n1,2\n3,4\n"))
    result = run("init", "d", "--from", packed, cwd=own)
    tried = run("try", own / "d.pipeline", packed)
    checks.that(
        "init reads what is in a compressed sample, without its byte-order mark",
        result.returncode == 0 and "it reads 2 of 2" in result.stderr and tried.returncode == 0,
        f"{said(result)}\n{said(tried)}",
    )
    odd = own / "odd.csv"
    odd.write_text("id,name\n" + "".join(f"{n},x\n" for n in range(100)) + "only\n")
    result = run("init", "e", "--from", odd, cwd=own)
    checks.that(
        "init says what its guess does not read",
        result.returncode == 0
        and "it reads 100 of 101" in result.stderr
        and re.search(r"on line 102: the row has 1 column", result.stderr),
        said(result),
    )


def report(files):
    with kit.temporary_folder("init") as folder:
        for number, file in enumerate(files):
            made, checked, tested, fates = trial(folder, pathlib.Path(file).resolve(), f"p{number}")
            sent = fates.count("sent")
            print(
                f"{file}: {'passes' if tested.returncode == 0 else 'FAILS'} its test,"
                f" check {'clean' if checked.returncode == 0 else 'NOT clean'};"
                f" {sent} of {len(fates)} records sent; {made.stderr.splitlines()[0]}"
            )


def main():
    if len(sys.argv) > 1:
        report(sys.argv[1:])
        return
    checks = kit.Checks()
    with kit.temporary_folder("init") as folder:
        for part in (guesses, others):
            with checks.group(part.__name__):
                part(checks, folder)
    checks.finish()


main()
