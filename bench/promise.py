#!/usr/bin/env python3
"""What the promise of the same bits costs: numann beside a build whose sums have a free order.

The free build (configure CPPFLAGS=-DNU_FREE_ORDER) cuts chains into parts where that is faster, and may
take any grain: the whole batch, which leaves no tree, a thread's part of it, or any other. First the ways
of both builds are tried for a moment (results/promise_ways.csv); the fastest of each on a row takes part.
Then both are measured in turn, in runs (results/promise.csv); an interrupted call goes on where it
stopped. SPDX-License-Identifier: MIT
"""
import argparse
import os
import sys

from measure import RESULTS, Failure, Table, bench, chosen_rows, say, turned

WAY = ["build", "threads", "strategy", "grain"]
WAY_FIELDS = ["row", "try", *WAY, "samples_per_s"]
FIELDS = ["run", "row", *WAY, "samples_per_s", "fraction_of_peak", "peak_spread", "valid"]
BUILDS = {"numann": 2, "free": 0}  # and numerics version of each: 0 is none
TRIES, NEAR = 3, 0.95  # ways above 0.95 of the fastest are tried three times
PAYS = 0.7  # of threads that reach less than this of the best no other way is tried


def grains(row, threads, strategy):
    """Grains for the free build: fixed ones, a thread's part of the batch, the whole of it."""
    batch = int(row["batch"])
    found = {g for g in (64, 256, 1024) if g < batch} | {-(-batch // threads)}
    return sorted(found if strategy == "samples" else found | {batch})


def ways(build, row, counts):
    """(threads, strategy, grain); grain `auto` is numann's own."""
    found = []
    for threads in counts:
        for strategy in ["neurons"] if threads == 1 else ["neurons", "samples"]:
            own = [] if build == "numann" else grains(row, threads, strategy)
            found += [(threads, strategy, grain) for grain in ["auto", *own]]
    return found


def measure(args, build, row, way, seconds):
    threads, strategy, grain = way
    options = ["--threads", threads, "--set", f"parallel.strategy={strategy}", "--set",
               f"train.grain={grain}"]
    found = bench(args.builds[build], "step", "--row", row["row"], "--seconds", seconds, *options)
    return {**found, "build": build, "threads": threads, "strategy": strategy, "grain": grain}


def try_way(args, build, row, way, tries, table):
    key = {"row": row["row"], **dict(zip(WAY, (build, *way)))}
    for number in range(len(table.find(**key)), tries):
        found = measure(args, build, row, way, args.try_seconds)
        table.add({**found, **key, "try": number})
        say(f"try    {row['row']:11} {build:6} {way}: {found['samples_per_s']:.0f} samples/s")
    return max(float(line["samples_per_s"]) for line in table.find(**key))


def fastest(args, build, row, cores, table):
    """Every way is tried once, with as many threads as may pay; those near the fastest are tried again,
    lest a disturbance decide."""
    found = {threads: try_way(args, build, row, (threads, "neurons", "auto"), 1, table)
             for threads in sorted({1, cores})}
    counts = [threads for threads in found if found[threads] > PAYS * max(found.values())]
    rates = {way: try_way(args, build, row, way, 1, table) for way in ways(build, row, counts)}
    near = [way for way in rates if rates[way] > NEAR * max(rates.values())]
    return max(near, key=lambda way: try_way(args, build, row, way, TRIES if len(near) > 1 else 1, table))


def check_builds(args):
    for build, version in BUILDS.items():
        words = ["--layers", "4,4,2", "--batch", "4", "--seconds", "0.001"]
        found = bench(args.builds[build], "step", *words)["numerics_version"]
        if (found == 0) != (version == 0):
            raise Failure(f"{args.builds[build]} has numerics version {found}: the free build, from "
                          "configure CPPFLAGS=-DNU_FREE_ORDER, has 0, numann another")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--numann", default="numann")
    parser.add_argument("--free", required=True, help="numann built with CPPFLAGS=-DNU_FREE_ORDER")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--seconds", default="0.2", help="of each measurement")
    parser.add_argument("--try-seconds", default="0.2", help="of each try")
    parser.add_argument("--rows", help="names, separated by commas (default: all)")
    parser.add_argument("--fresh", action="store_true", help="forget what has been measured before")
    args = parser.parse_args()
    args.builds = {"numann": args.numann, "free": args.free}
    try:
        check_builds(args)
        cores = len(os.sched_getaffinity(0))
        rows = chosen_rows(args.numann, args.rows)
        tried = Table(RESULTS / "promise_ways.csv", WAY_FIELDS, args.fresh)
        table = Table(RESULTS / "promise.csv", FIELDS, args.fresh)
        best = {(row["row"], build): fastest(args, build, row, cores, tried)
                for row in rows for build in BUILDS}
        for run in range(args.runs):
            for row in rows:
                if table.find(run=run, row=row["row"]):
                    continue
                found = [measure(args, build, row, best[row["row"], build], args.seconds)
                         for build in turned(list(BUILDS), run)]
                table.add(*({"run": run, **line} for line in found))
                say(f"run {run:2} {row['row']:11} " + ", ".join(
                    f"{line['build']} {line['samples_per_s']:.0f}" for line in found) + " samples/s")
    except Failure as error:
        sys.exit(f"promise: {error}")


if __name__ == "__main__":
    main()
