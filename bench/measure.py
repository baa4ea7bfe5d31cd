"""What the measuring scripts share: running a command, and a table that goes on where it stopped.
SPDX-License-Identifier: MIT"""
import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"
PATIENCE = 300  # seconds until a command is given up


class Failure(Exception):
    """Something cannot be measured; the message says why."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def answer(command, **environment):
    """Standard output of a command that must succeed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False,
                              **environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(str(error)) from error
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["no message"]
        raise Failure(f"{command[0]}: exit code {done.returncode}: {words[-1]}")
    return done.stdout


def bench(numann, *words, **environment):
    """What `numann bench WORDS --json` found."""
    return json.loads(answer([numann, "bench", *map(str, words), "--json"], **environment))


def chosen_rows(numann, names):
    """The rows of numann that --rows names, all without it."""
    rows = bench(numann, "rows")
    known = [row["row"] for row in rows]
    for name in names.split(",") if names else []:
        if name not in known:
            raise Failure(f"--rows {name}: no such row; there are {', '.join(known)}")
    return [row for row in rows if not names or row["row"] in names.split(",")]


def short(value):
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:.5g}" if value < 1000 else f"{value:.0f}"
    return str(value)


class Table:
    """A CSV file that only ever grows by whole rows; what it holds is not measured again."""

    def __init__(self, path, fields, fresh=False):
        self.path, self.fields = path, fields
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh or not path.exists():
            path.write_text(",".join(fields) + "\n")
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            self.rows = list(reader)
        if reader.fieldnames != fields:
            raise Failure(f"{path}: has other columns than this script writes; --fresh begins anew")

    def find(self, **wanted):
        return [r for r in self.rows if all(r[k] == str(v) for k, v in wanted.items())]

    def add(self, *rows):
        """Rows that belong together: all of them or, when interrupted, none."""
        rows = [{k: short(row.get(k, "")) for k in self.fields} for row in rows]
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.fields, lineterminator="\n").writerows(rows)
        self.rows += rows


def turned(items, run):
    """The items in an order that turns from run to run, so that none always comes first."""
    at = run % len(items)
    return items[at:] + items[:at]


def measure_rows(script, description, fields, measure, runs, seconds):
    """The whole of a script that measures row by row, run by run. measure(args, run, row, cores) gives
    the lines of the table results/NAME.csv, script being (own name, NAME)."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--numann", default="numann")
    parser.add_argument("--runs", type=int, default=runs)
    parser.add_argument("--seconds", default=seconds, help="of each measurement")
    parser.add_argument("--rows", help="names, separated by commas (default: all)")
    parser.add_argument("--fresh", action="store_true", help="forget what has been measured before")
    args = parser.parse_args()
    try:
        rows, cores = chosen_rows(args.numann, args.rows), len(os.sched_getaffinity(0))
        table = Table(RESULTS / f"{script[1]}.csv", fields, args.fresh)
        for run in range(args.runs):
            for row in (row["row"] for row in rows):
                if not table.find(run=run, row=row):
                    table.add(*measure(args, run, row, cores))
    except Failure as error:
        sys.exit(f"{script[0]}: {error}")
