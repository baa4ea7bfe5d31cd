#!/usr/bin/env python3
"""Fills the marked blocks of bench/README.md from the files in bench/results/; draws the charts.

A block stands between <!-- begin NAME --> and <!-- end NAME -->; BLOCKS below names the function
that writes it. A block whose files are missing stays as it is. SPDX-License-Identifier: MIT
"""
import argparse
import csv
import itertools
import json
import math
import re
import statistics
import sys
from pathlib import Path

import chart

HERE = Path(__file__).resolve().parent
NAMES = {"numann": "numann", "pytorch": "PyTorch", "scikit-learn": "scikit-learn", "fann": "FANN"}
PEERS = ["pytorch", "scikit-learn", "fann"]

# ---- reading and statistics

def description(results):
    return json.loads((results / "peers.json").read_text())


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def interval(values):
    """Median and the order statistics that hold it with at least 95 %: of 15 values the 4th and the
    12th (96.5 %). Least and most when there are fewer than six values."""
    values = sorted(values)
    n, k, tail = len(values), 0, 0.0
    while k < n // 2 and 2 * (tail + math.comb(n, k)) / 2**n <= 0.05:
        tail += math.comb(n, k)
        k += 1
    k = max(k, 1)
    return statistics.median(values), values[k - 1], values[n - k]


def words(row):
    """A row as a reader sees it: the network, then its setting."""
    sizes = [(size, len(list(same))) for size, same in itertools.groupby(row["layers"].split(","))]
    # Two equal layers stand as they are, more as in 784-256x10-10.
    layers = ["-".join([size] * n) if n < 3 else f"{size}x{n}" for size, n in sizes]
    terms = [{"relu": "ReLU"}.get(row["activation"], row["activation"]),
             {"cross_entropy": "cross-entropy"}.get(row["loss"], row["loss"].replace("_", " ")),
             {"sgd": "SGD", "adam": "Adam"}.get(row["optimizer"], row["optimizer"])]
    return "-".join(layers), ", ".join([*terms, f"batch {row['batch']}"])


class Peers:
    """results/peers.csv: rates by row and program, and ratios of the pairs of one run."""

    def __init__(self, results):
        self.found = {}
        for line in read(results / "peers.csv"):
            self.found.setdefault((line["row"], line["program"]), {})[int(line["run"])] = line
        self.words = {row["row"]: words(row) for row in description(results)["rows"]}
        self.rows = [row for row in self.words if (row, "numann") in self.found]

    def lines(self, row, program):
        return self.found.get((row, program), {})

    def rate(self, row, program):
        lines = self.lines(row, program).values()
        return statistics.median(float(line["samples_per_s"]) for line in lines)

    def ratio(self, row, peer):
        """numann's rate over the peer's: median and interval over the runs that have both."""
        ours, theirs = self.lines(row, "numann"), self.lines(row, peer)
        pairs = [float(ours[i]["samples_per_s"]) / float(theirs[i]["samples_per_s"])
                 for i in ours if i in theirs]
        return interval(pairs) if pairs else None

    def pairs(self):
        """How many pairs stand behind a ratio, and what its interval is, in words."""
        counts = [len(self.lines(row, peer).keys() & self.lines(row, "numann").keys())
                  for row in self.rows for peer in PEERS if self.lines(row, peer)]
        least, most = min(counts, default=0), max(counts, default=0)
        count = f"{least}" if least == most else f"{least} to {most}"
        return count, "95 % interval" if least >= 6 else "least and most"

    def disturbed(self):
        ours = [x for row in self.rows for x in self.lines(row, "numann").values()]
        return sum(x["valid"] == "0" for x in ours), len(ours)


# ---- numbers as text

def digits(value, n=3):
    """n significant digits, without exponent."""
    places = n - 1 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{round(value, places):.{max(0, places)}f}"


def rate_text(value):
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{digits(value / size)} {unit}"
    return digits(value)


def ratio_text(ratio):
    return f"**{digits(ratio[0])}** ({digits(ratio[1])} to {digits(ratio[2])})"


def table(head, lines):
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *lines])


# ---- blocks

def peers_block(results):
    peers = Peers(results)
    (results / "peers.svg").write_text(chart.ratios(peers, NAMES, PEERS, versions(results)))
    head = ["row", "numann", *(title for p in PEERS for title in (NAMES[p], f"numann / {NAMES[p]}"))]
    lines = [[row, rate_cell(peers, row, "numann"),
              *(cell for peer in PEERS for cell in peer_cells(peers, row, peer))] for row in peers.rows]
    (pairs, kind), (bad, runs) = peers.pairs(), peers.disturbed()
    note = (f"Samples a second, medians. Ratios: the median of {pairs} pairs, with its {kind}. A dash: the "
            f"peer cannot express the row. During {bad} of numann's {runs} measurements the machine's "
            "peak moved by more than 5 %: they were not quiet, and are counted all the same.")
    return "\n\n".join([table(head, lines), networks(peers), note])


def peer_cells(peers, row, peer):
    if not peers.lines(row, peer):
        return ["-", "-"]
    return [rate_cell(peers, row, peer), ratio_text(peers.ratio(row, peer))]


def rate_cell(peers, row, program):
    """The rate, and the way: the one of most runs, where the program chooses anew in each."""
    ways = [(line["variant"], line["threads"]) for line in peers.lines(row, program).values()]
    variant, threads = statistics.mode(ways)
    return (f"{rate_text(peers.rate(row, program))}<br>{variant}, {threads} "
            f"thread{'s' if threads != '1' else ''}")


def networks(peers):
    return "\n".join(f"- {row}: {', '.join(peers.words[row])}" for row in peers.rows)


def versions(results):
    found = description(results)["versions"]
    return {name: text.split("\n")[0].replace("numann ", "") for name, text in found.items()}


def variants_block(results):
    lines = read(results / "variants.csv")
    ways = sorted({(x["program"], x["variant"], int(x["threads"])) for x in lines})
    rates = {}
    for x in lines:
        key = x["program"], x["variant"], int(x["threads"]), x["row"]
        rates[key] = max(rates.get(key, 0.0), float(x["samples_per_s"]))
    tried = {x["row"] for x in lines}
    rows = [row["row"] for row in description(results)["rows"] if row["row"] in tried]
    cells = [[f"{NAMES[way[0]]} {way[1]}, {way[2]}",
              *(rate_text(rates[(*way, row)]) if rates.get((*way, row)) else "-" for row in rows)]
             for way in ways]
    return table(["program, way, threads", *rows], cells)


def fractions_block(results):
    found, rows = {}, {}
    for line in read(results / "fractions.csv"):
        key = line["row"] if line["precision"] == "fp32" else f"{line['row']}, {line['precision']}"
        rows[key] = None
        found.setdefault((key, line["threads"]), []).append(line)
    threads = sorted({t for _, t in found}, key=int)
    head = ["row", *(f"{t} thread{'s' if t != '1' else ''}: {what}" for t in threads
                     for what in ("samples/s", "fraction of the peak"))]
    cells = [[row, *(cell for t in threads for cell in fraction_cells(found.get((row, t), [])))]
             for row in rows]
    runs = {len(lines) for lines in found.values()}
    kind = "95 % interval" if min(runs) >= 6 else "least and most"
    bad = sum(x["valid"] == "0" for lines in found.values() for x in lines)
    return table(head, cells) + (f"\n\nMedians of {min(runs)} runs, the fraction with its {kind}; in {bad} of "
                                 f"{sum(map(len, found.values()))} measurements the peak moved by more than 5 %.")


def fraction_cells(lines):
    if not lines:
        return ["-", "-"]
    rate = statistics.median(float(x["samples_per_s"]) for x in lines)
    middle, least, most = interval([float(x["fraction_of_peak"]) for x in lines])
    return [rate_text(rate), f"**{middle:.3f}** ({least:.3f} to {most:.3f})"]


def machine_block(results):
    found = description(results)
    rows = [("processor", f"{found['processor']}, {found['cores']} cores"),
            ("caches", f"L2 {found['l2_bytes'] >> 10} KiB a core, "
                       f"L3 {found['l3_bytes'] >> 20} MiB"),
            ("memory", f"{found['memory_bytes'] / 2**30:.1f} GiB"), ("system", found["system"]),
            ("compiler", found["compiler"]), ("Python", found["python"])]
    rows += [(NAMES[name], "; ".join(re.sub(r" +", " ", line) for line in text.split("\n")))
             for name, text in found["versions"].items()]
    rows += [("date", found["date"])]
    return "| | |\n|---|---|\n" + "\n".join(f"| {a} | {b} |" for a, b in rows)


def accuracy_block(results):
    lines = read(results / "time_to_accuracy.csv")
    ways = list(dict.fromkeys((x["program"], x["variant"], x["threads"]) for x in lines))
    cells = [accuracy_cells(way, [x for x in lines
                                  if (x["program"], x["variant"], x["threads"]) == way]) for way in ways]
    wanted = float(lines[0]["accuracy_wanted"])
    head = ["program", f"s to {100 * wanted:g} %", "epochs", "reached", "accuracy at the end",
            "s, whole process", "peak memory"]
    return table(head, cells)


def accuracy_cells(way, lines):
    reached = [x for x in lines if x["seconds"]]
    return [f"{NAMES[way[0]]}, {way[1]}, {way[2]} threads",
            median_text(reached, "seconds") if reached else "-",
            f"{statistics.median(int(x['epochs']) for x in reached):g}" if reached else "-",
            f"{len(reached)} of {len(lines)}",
            f"{100 * statistics.median(float(x['accuracy_end']) for x in lines):.2f} %",
            median_text(lines, "process_seconds"),
            f"{statistics.median(int(x['peak_bytes']) for x in lines) / 2**20:.0f} MiB"]


def median_text(lines, key):
    values = [float(x[key]) for x in lines]
    return f"{digits(statistics.median(values))} ({digits(min(values))} to {digits(max(values))})"


BLOCKS = {  # name in README.md: function, files that it reads
    "machine": (machine_block, ["peers.json"]),
    "fractions": (fractions_block, ["fractions.csv"]),
    "peers": (peers_block, ["peers.csv", "peers.json"]),
    "variants": (variants_block, ["variants.csv", "peers.json"]),
    "time-to-accuracy": (accuracy_block, ["time_to_accuracy.csv"]),
}


def fill(text, name, content):
    pattern = re.compile(f"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.S)
    if not pattern.search(text):
        sys.exit(f"plot: README.md has no block {name}: put <!-- begin {name} --> and "
                 f"<!-- end {name} -->")
    return pattern.sub(lambda found: found.group(1) + content + "\n" + found.group(2), text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md")
    args = parser.parse_args()
    text = args.readme.read_text()
    for name, (function, files) in BLOCKS.items():
        absent = [file for file in files if not (args.results / file).exists()]
        if absent:
            print(f"plot: {name} stays as it is: no {absent[0]} in {args.results}", file=sys.stderr)
            continue
        text = fill(text, name, function(args.results))
    args.readme.write_text(text)


if __name__ == "__main__":
    main()
