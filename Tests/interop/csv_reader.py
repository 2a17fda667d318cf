#!/usr/bin/env python3
"""That CSV is read as Python's csv module reads it: known kinds of files, and random ones.

    Tests/interop/csv_reader.py                     2,000 random files
    Tests/interop/csv_reader.py --files 100000 --seed 7

Random files of one shape go to one process, one behind the other; damaged ones go alone.
"""

import argparse
import csv
import io
import json
import pathlib
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
import kit

BATCH = 500

# What csv-spectrum is about, in files of our own: name, content, rows behind the header.
KINDS = [
    ("simple", "a,b,c\n1,2,3\n", [["1", "2", "3"]]),
    ("CRLF", "a,b,c\r\n1,2,3\r\n", [["1", "2", "3"]]),
    ("no newline at the end", "a,b\n1,2", [["1", "2"]]),
    ("a separator in quotes", 'a,b,c\nJohn,"120 any st., Anytown, WW",08123\n',
     [["John", "120 any st., Anytown, WW", "08123"]]),
    ("empty cells", 'a,b,c\n1,"",""\n2,3,\n,,\n', [["1", "", ""], ["2", "3", ""], ["", "", ""]]),
    ("empty cells and CRLF", 'a,b,c\r\n1,"",""\r\n2,3,\r\n', [["1", "", ""], ["2", "3", ""]]),
    ("doubled quotes", 'a,b\n1,"ha ""ha"" ha"\n3,""""\n"""",""""""\n',
     [["1", 'ha "ha" ha'], ["3", '"'], ['"', '""']]),
    ("JSON in a cell", 'key,val\n1,"{""type"": ""Point"", ""coordinates"": [102.0, 0.5]}"\n',
     [["1", '{"type": "Point", "coordinates": [102.0, 0.5]}']]),
    ("newlines in quotes", 'a,b,c\n1,2,3\n"Once upon \na time",5,6\n7,8,9\n',
     [["1", "2", "3"], ["Once upon \na time", "5", "6"], ["7", "8", "9"]]),
    ("CRLF in quotes", 'a,b\r\n1,"x\r\ny"\r\n', [["1", "x\r\ny"]]),
    ("quotes and newlines", 'a,b\n1,"ha \n""ha"" \nha"\n3,4\n', [["1", 'ha \n"ha" \nha'], ["3", "4"]]),
    ("UTF-8", "a,b,c\n1,2,3\n4,5,ʤ😀\n", [["1", "2", "3"], ["4", "5", "ʤ😀"]]),
    ("a byte-order mark", "\ufeffa,b\n1,2\n", [["1", "2"]]),
    ("a byte-order mark and quotes", '\ufeff"a","b"\n1,2\n', [["1", "2"]]),
    ("quotes in the header", '"a","b ""c"""\n1,2\n', [["1", "2"]]),
    ("spaces are text", 'a,b\n 1 , "2"\n', [[" 1 ", ' "2"']]),
    ("a quote inside a cell is text", 'a,b\n5\'11",x"y"\n', [["5'11\"", 'x"y"']]),
    ("empty lines are no rows", "a,b\n\n1,2\n\r\n3,4\n\n", [["1", "2"], ["3", "4"]]),
    ("a header alone", "a,b\n", []),
]


def pipeline(columns, separator, quote, header):
    """A pipeline that sends each row as a list of its cells."""
    escaped = separator.replace("\t", "\\t")
    quote = quote.replace('"', '\\"')
    names = [f"`{name}`" for name in columns]
    return "\n".join(
        [
            'from "*.csv" { max_line = 1MiB }',
            f'parse csv(header: {header}, separator: "{escaped}", quote: "{quote}") {{',
            *[f"  {name}: string" for name in names],
            "}",
            "send {",
            '  topic = "rows"',
            f"  value = json([{', '.join(names)}])",
            "}",
            'on error dead_letter "dead"',
            "",
        ]
    )


def tried(folder, name, text, content):
    """What each row became: a list of cells, or the text of its failure."""
    (folder / f"{name}.pipeline").write_text(text)
    (folder / f"{name}.csv").write_bytes(content.encode())
    result = kit.forktail("try", "--format", "json", folder / f"{name}.pipeline", folder / f"{name}.csv")
    outcomes = []
    # Not splitlines(): a cell may hold a U+2028.
    for line in result.stdout.split("\n"):
        if not line:
            continue
        outcome = json.loads(line)
        sent = outcome["fate"] == "sent"
        outcomes.append(json.loads(outcome["value"]) if sent else outcome["error"])
    if result.returncode not in (0, 65):
        outcomes.append(f"exit {result.returncode}: {result.stderr}")
    return outcomes


def kinds(checks, folder):
    for name, content, rows in KINDS:
        columns = next(csv.reader(io.StringIO(content.lstrip("\ufeff"), newline="")))
        text = pipeline(columns, ",", '"', "true")
        checks.equal(f"kind: {name}", tried(folder, "kind", text, content), rows)
    checks.equal(
        "a header without a declared column stops its file at once",
        tried(folder, "kind", pipeline(["a", "d"], ",", '"', "true"), "a,b\n1,2\n3,4\n"),
        ['header mismatch: the header row has no column "d"'],
    )


class RandomFile:
    """Rows in one dialect, written with whatever quotes they need and some that they do not."""

    def __init__(self, numbers, shape):
        self.numbers = numbers
        self.columns, self.separator, self.quote, self.newline = shape

    def cell(self):
        letters = ["a", "B", "7", " ", "é", "😀", "\u2028", self.separator, "\n", "\r\n", "\t", ";", "|"]
        letters += [self.quote] * 2 if self.quote else []
        text = "".join(self.numbers.choices(letters, k=self.numbers.choice([0, 1, 1, 2, 3, 5, 12])))
        must = any(letter in text for letter in (self.separator, "\n", "\r"))
        if not self.quote:
            return "".join(letter for letter in text if letter not in self.separator + "\r\n")
        must = must or text.startswith(self.quote)
        if must or self.numbers.random() < 0.3:
            return self.quote + text.replace(self.quote, self.quote * 2) + self.quote
        return text

    def row(self):
        count = self.columns
        if self.numbers.random() < 0.05:
            count = max(1, count + self.numbers.choice([-1, 1]))
        return self.separator.join(self.cell() for _ in range(count))

    def content(self):
        rows = [self.row() for _ in range(self.numbers.randint(1, 6))]
        return "".join(row + self.newline for row in rows)


def expected(content, shape):
    """The rows as Python reads them; nil for a file that it refuses."""
    columns, separator, quote, _ = shape
    dialect = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True, **dialect)
    try:
        rows = [row for row in reader if row]
    except csv.Error:
        return None
    return [
        row if len(row) == columns else f"the row has {len(row)} columns, not {columns}" for row in rows
    ]


def shapes():
    for columns in (1, 2, 3, 7):
        for separator, quote in ((",", '"'), (";", '"'), ("\t", '"'), ("|", "'"), (",", "")):
            for newline in ("\n", "\r\n"):
                yield columns, separator, quote, newline


def random_files(checks, folder, wanted, numbers):
    every = list(shapes())
    done = rows = 0
    while done < wanted:
        shape = numbers.choice(every)
        columns, separator, quote, _ = shape
        count = min(BATCH, wanted - done)
        contents = [RandomFile(numbers, shape).content() for _ in range(count)]
        # Of the last one the newline may be missing.
        if numbers.random() < 0.5:
            contents[-1] = contents[-1].removesuffix("\n").removesuffix("\r")
        content = "".join(contents)
        wanted_rows = expected(content, shape)
        names = [f"c{index}" for index in range(columns)]
        found = tried(folder, "random", pipeline(names, separator, quote, "false"), content)
        done += count
        rows += len(wanted_rows)
        if found != wanted_rows:
            place = next(
                (i for i, pair in enumerate(zip(found, wanted_rows)) if pair[0] != pair[1]),
                min(len(found), len(wanted_rows)),
            )
            detail = f"{shape} row {place}: {found[place:place + 1]!r}, not {wanted_rows[place:place + 1]!r}"
            checks.that("random files are read as by Python", False, detail)
            return
    checks.that(f"{done} random files with {rows} rows are read as by Python", rows > wanted)


def damaged_files(checks, folder, wanted, numbers):
    refused = 0
    for _ in range(wanted):
        shape = (3, ",", '"', "\n")
        content = RandomFile(numbers, shape).content()
        place = numbers.randrange(len(content) + 1)
        content = content[:place] + '"' + content[place:]
        rows = expected(content, shape)
        text = pipeline(["c0", "c1", "c2"], ",", '"', "false")
        found = tried(folder, "damaged", text, content)
        if rows is None:
            refused += 1
            holds = any(isinstance(row, str) and row.startswith("not CSV: ") for row in found)
        else:
            holds = found == rows
        if not holds:
            checks.that("a stray quote is read, or refused, as by Python", False, f"{content!r}: {found!r}, not {rows!r}")
            return
    checks.that(f"of {wanted} files with a stray quote the {refused} that Python refuses fail", refused > 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--damaged", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f"again with: Tests/interop/csv_reader.py --files {options.files} --seed {options.seed}")
    numbers = random.Random(options.seed)
    checks = kit.Checks()
    with kit.temporary_folder("csv") as folder:
        for body, arguments in (
            (kinds, ()),
            (random_files, (options.files, numbers)),
            (damaged_files, (options.damaged, numbers)),
        ):
            with checks.group(body.__name__):
                body(checks, folder, *arguments)
    checks.finish()


if __name__ == "__main__":
    main()
