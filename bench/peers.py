#!/usr/bin/env python3
"""Training steps of numann beside those of PyTorch, scikit-learn and FANN on the same networks.

First each way of each peer is tried for a moment (results/variants.csv); the fastest of a peer on a
row takes part. Then come the runs: in each, row by row, every program is measured in turn, in an
order that changes from run to run, in processes started for that run (results/peers.csv). A row is
written when all have measured it; an interrupted call goes on where it stopped. bench/README.md has the
set-up, bench/plot.py makes the table. SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import platform
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import PATIENCE, Failure, Table, answer, chosen_rows, say, turned

HERE = Path(__file__).resolve().parent
VARIANT_FIELDS = ["row", "program", "variant", "threads", "samples_per_s", "least", "most"]
RUN_FIELDS = ["run", *VARIANT_FIELDS, "fraction_of_peak", "valid"]
TRY_SECONDS, TRIES, NEAR = 0.2, 2, 0.8  # ways above 0.8 of the fastest are tried twice
TRY_SLICES, RUN_SLICES = 2, 3  # at least so many, where one step is longer than a slice


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--numann", default="numann", help="the command (default: from PATH)")
    parser.add_argument("--python", default=sys.executable, help="Python with torch and scikit-learn")
    parser.add_argument("--fann-source", type=Path, help="FANN's own folder, to build it here")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.25, help="to measure, each row and program")
    parser.add_argument("--rows", help="names, separated by commas (default: all)")
    parser.add_argument("--programs", default="numann,pytorch,scikit-learn,fann")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--fresh", action="store_true", help="forget what has been measured before")
    return parser.parse_args()


# ---- workers: processes that answer a task with a result

class Worker:
    """A Python peer. Started when first needed, so that a run without it costs nothing."""

    def __init__(self, command):
        self.command, self.process, self.errors = command, None, None

    def measure(self, task):
        if self.process is None:
            self.start()
        try:
            print(json.dumps(task), file=self.process.stdin, flush=True)
            self.wait()
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, ValueError) as error:
            raise Failure(f"{self.command[-1]}: {self.last_words()}") from error

    def start(self):
        self.errors = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would fill and block
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env=worker_environment())

    def wait(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(PATIENCE):
                self.process.kill()

    def last_words(self):
        """The last line of an error message, once the worker has ended."""
        self.errors.seek(0)
        words = self.errors.read().strip().splitlines()
        self.close()
        return words[-1] if words else f"no answer within {PATIENCE} s"

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.errors.close()
            self.process = None


def worker_environment():
    """Freed blocks are kept: the system need not clear their pages anew each step."""
    return dict(os.environ, PYTHONDONTWRITEBYTECODE="1", MALLOC_MMAP_MAX_="0",
                MALLOC_TRIM_THRESHOLD_="4294967296")


# ---- programs: name, ways to run a row, and how to measure one

class Numann:
    name = "numann"

    def __init__(self, args):
        self.command = args.numann

    def variants(self, _row):
        return [("auto", 0)]  # numann chooses threads and strategy itself

    def measure(self, task):
        found = json.loads(answer([self.command, "bench", "step", "--row", task["row"]["row"],
                                   "--seconds", str(task["seconds"]), "--json"]))
        return {"threads": found["threads"], "samples_per_s": found["samples_per_s"],
                "least": found["samples_per_s_least"], "most": found["samples_per_s_most"],
                "variant": found["strategy"], "fraction_of_peak": found["fraction_of_peak"],
                "valid": int(found["valid"])}

    def version(self):
        return answer([self.command, "--version", "-v"]).strip()

    def close(self):
        pass


class Python:
    """PyTorch or scikit-learn in a worker."""

    def __init__(self, args, script, package):
        self.python, self.package = args.python, package
        self.worker = Worker([args.python, str(HERE / script)])

    def measure(self, task):
        return self.worker.measure(task)

    def version(self):
        program = f"import {self.package} as p; print(p.__version__)"
        return answer([self.python, "-c", program]).strip()

    def close(self):
        self.worker.close()


class PyTorch(Python):
    name = "pytorch"
    ways = ["eager-foreach", "eager-fused", "compile-fused", "whole"]

    def __init__(self, args):
        super().__init__(args, "torch_step.py", "torch")

    def variants(self, _row):
        return [(way, threads) for way in self.ways for threads in thread_counts()]


class ScikitLearn(Python):
    name = "scikit-learn"

    def __init__(self, args):
        super().__init__(args, "sklearn_step.py", "sklearn")

    def variants(self, row):
        classes, outputs = row["loss"] != "squared_error", int(row["layers"].split(",")[-1])
        # Its outputs are softmax for three classes and more, and identity with squared error.
        exact = outputs > 2 if classes else row["activation"] == "relu"
        return [("fit", threads) for threads in thread_counts()] if exact else []


class Fann:
    name = "fann"

    def __init__(self, args):
        self.folder = tempfile.TemporaryDirectory(prefix="numann-fann-")
        self.builds = {}
        flags = {"library": ["-O3", "-march=native"]}
        if args.fann_source:
            flags["native"] = flags["library"]
            flags["native-fast-math"] = ["-Ofast", "-march=native"]
        for name, how in flags.items():
            self.build(name, how, args.fann_source if name != "library" else None)

    def build(self, name, flags, source):
        what = [f"-I{source}/src/include", f"{source}/src/floatfann.c"] if source else []
        libraries = [] if source else ["-lfloatfann"]
        program = f"{self.folder.name}/{name}"
        try:
            answer([os.environ.get("CC", "cc"), *flags, str(HERE / "fann_step.c"), *what, *libraries,
                    "-lm", "-o", program])
            self.builds[name] = program
        except Failure as error:
            say(f"fann: {name} cannot be built and is left out: {error}")

    def variants(self, row):
        setting = (row["activation"], row["loss"], row["optimizer"])
        exact = setting == ("sigmoid", "squared_error", "sgd")
        return [(name, 1) for name in self.builds] if exact else []

    def measure(self, task):
        row = task["row"]
        return json.loads(answer([self.builds[task["variant"]], row["layers"], row["batch"],
                                  row["learning_rate"], str(row["rows"]), str(task["seconds"])]))

    def version(self):
        if not self.builds:
            raise Failure("libfann-dev and a C compiler are needed")
        try:
            return answer(["pkg-config", "--modversion", "fann"]).strip()
        except Failure:
            return "unknown"

    def close(self):
        pass


PROGRAMS = {program.name: program for program in (Numann, PyTorch, ScikitLearn, Fann)}


def thread_counts():
    """One, and every core that this process may use."""
    return sorted({1, len(os.sched_getaffinity(0))})


# ---- measuring

def read_rows(args):
    """The rows of numann, each with as many data as numann generates: twice the last cache."""
    cache = json.loads(answer([args.numann, "topo", "--json"]))["l3_bytes"] or 32 << 20
    rows = chosen_rows(args.numann, "")
    for row in rows:
        sizes, batch = [int(n) for n in row["layers"].split(",")], int(row["batch"])
        targets = sizes[-1] if row["loss"] == "squared_error" else 1
        row["rows"] = batch * max(2 * cache // (4 * (sizes[0] + targets)) // batch + 1, 8)
    return rows


def try_variants(programs, rows, table):
    """The fastest way of each program on each row: {(program, row): (variant, threads)}."""
    best = {}
    for program in programs:
        for row in rows:
            ways = program.variants(row)
            if len(ways) > 1:
                ways = fastest_first(program, row, ways, table)
            if ways:
                best[program.name, row["row"]] = ways[0]
        program.close()
    return best


def fastest_first(program, row, ways, table):
    """Every way is tried once; those near the fastest are tried again, lest a disturbance decide."""
    for way in ways:
        try_until(program, row, way, 1, table)
    rates = {way: best_rate(program, row, way, table) for way in ways}
    near = [way for way in ways if rates[way] > NEAR * max(rates.values())]
    for tries in range(2, TRIES + 1):
        for way in near:
            try_until(program, row, way, tries, table)
    return sorted(near, key=lambda way: -best_rate(program, row, way, table))


def way_key(program, row, way):
    return {"row": row["row"], "program": program.name, "variant": way[0], "threads": way[1]}


def best_rate(program, row, way, table):
    tried = table.find(**way_key(program, row, way))
    return max(float(line["samples_per_s"]) for line in tried)


def try_until(program, row, way, tries, table):
    """One more try, unless the table has as many already; a way that fails has the rate 0."""
    key = way_key(program, row, way)
    if len(table.find(**key)) >= tries:
        return
    task = {"row": row, "variant": way[0], "threads": way[1], "seconds": TRY_SECONDS,
            "least_slices": TRY_SLICES}
    try:
        found = program.measure(task)
    except Failure as error:
        say(f"{program.name}, {row['row']}, {way[0]}: {error}")
        found = {"samples_per_s": 0.0}
    table.add({**found, **key})
    say(f"try    {row['row']:11} {program.name:12} {found['samples_per_s']:12.0f} samples/s, "
        f"{way[0]}, {way[1]} threads")


def run_once(run, programs, rows, best, table, seconds):
    """One run: row by row all programs in turn, the order turned by one from run to run."""
    order = turned(programs, run)
    for row in rows:
        if table.find(run=run, row=row["row"]):
            continue
        turn = [program for program in order if (program.name, row["row"]) in best]
        found = [measure(run, row, program, best[program.name, row["row"]], seconds)
                 for program in turn]
        table.add(*found)  # what is interrupted is no pair
    for program in programs:
        program.close()


def measure(run, row, program, way, seconds):
    task = {"row": row, "variant": way[0], "threads": way[1], "seconds": seconds,
            "least_slices": RUN_SLICES}
    found = {"variant": way[0], "threads": way[1], **program.measure(task)}
    say(f"run {run:2} {row['row']:11} {program.name:12} {found['samples_per_s']:12.0f} samples/s")
    return {**found, "run": run, "row": row["row"], "program": program.name}


# ---- the machine

def processor():
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"^model name\s*: (.*)$", text, re.M)
    return found.group(1) if found else platform.processor()


def describe(args, programs, rows):
    """What the numbers depend on, for results/peers.json."""
    topo = json.loads(answer([args.numann, "topo", "--json"]))
    return {
        "processor": processor(), "cores": topo["cores"], "l2_bytes": topo["l2_bytes"],
        "l3_bytes": topo["l3_bytes"], "memory_bytes": topo["memory_bytes"],
        "system": f"{platform.system()} {platform.release()}, {platform.libc_ver()[1]} libc",
        "compiler": answer([os.environ.get("CC", "cc"), "--version"]).splitlines()[0],
        "python": platform.python_version(), "seconds": args.seconds, "rows": rows,
        "versions": {program.name: program.version() for program in programs},
    }


def keep_description(path, found, fresh):
    """The results of one file are of one machine and one set of versions."""
    if path.exists() and not fresh:
        kept = json.loads(path.read_text())
        different = [k for k in found if kept.get(k) != found[k]]
        if different:
            raise Failure(f"{path}: measured with another {different[0]}; use --fresh to begin "
                          "anew, or another --out")
        return
    path.write_text(json.dumps({**found, "date": time.strftime("%Y-%m-%d")}, indent=2) + "\n")


def usable(names, args):
    """The programs that can be measured here; numann must be among them."""
    programs = []
    for name in names:
        program = PROGRAMS[name](args)
        try:
            program.version()
            programs.append(program)
        except Failure as error:
            if name == "numann":
                raise
            say(f"{name} is left out: {error}")
    return programs


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        programs = usable(args.programs.split(","), args)
        rows = read_rows(args)
        keep_description(args.out / "peers.json", describe(args, programs, rows), args.fresh)
        names = [row["row"] for row in chosen_rows(args.numann, args.rows)]
        rows = [row for row in rows if row["row"] in names]
        tried = Table(args.out / "variants.csv", VARIANT_FIELDS, args.fresh)
        measured = Table(args.out / "peers.csv", RUN_FIELDS, args.fresh)
        best = try_variants(programs, rows, tried)
        for run in range(args.runs):
            run_once(run, programs, rows, best, measured, args.seconds)
    except Failure as error:
        sys.exit(f"peers: {error}")


if __name__ == "__main__":
    main()
