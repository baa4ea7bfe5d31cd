#!/usr/bin/env python3
"""Fills the marked blocks of bench/README.md from the files in bench/results/; draws the charts.

A block stands between <!-- begin NAME --> and <!-- end NAME -->; BLOCKS below names the function
that writes it. A block whose files are missing or empty says so. SPDX-License-Identifier: MIT
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


def has(path):
    """Is there more than a head?"""
    return path.exists() and (path.suffix != ".csv" or bool(read(path)))


ENOUGH = 15  # values for an interval; of fewer, least and most are shown
KIND = {True: "95 % interval", False: "least and most"}


def interval(values):
    """Median and the order statistics that hold it with at least 95 %: the number of values below the
    median is binomial with 1/2, so the median of 15 lies between the 4th and the 12th with 96.5 %."""
    values = sorted(values)
    n, k, tail = len(values), 0, 0.0
    while n >= ENOUGH and 2 * (tail + math.comb(n, k)) / 2**n <= 0.05:
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
        return count, KIND[least >= ENOUGH]

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
    return "\n\n".join([table(head, lines), best_peers(peers), networks(peers), note])


def best_peers(peers):
    """The geometric mean over the rows of the ratio to the fastest peer of each, run by run."""
    best = {row: max((p for p in PEERS if peers.lines(row, p)), key=lambda p: peers.rate(row, p), default=None)
            for row in peers.rows}
    runs = set.intersection(*(set(peers.lines(row, p)) & set(peers.lines(row, "numann"))
                              for row, p in best.items() if p))
    means = [math.exp(statistics.mean(math.log(
        float(peers.lines(row, "numann")[run]["samples_per_s"]) / float(peers.lines(row, p)[run]["samples_per_s"]))
        for row, p in best.items() if p)) for run in runs]
    kind = KIND[len(means) >= ENOUGH]
    return (f"Over the fastest peer of each row, geometric mean of the rows: {ratio_text(interval(means))}, the "
            f"median of {len(means)} runs with its {kind}.") if means else ""


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


class Groups:
    """Lines of a file by some of their columns, each group a dictionary by run."""

    def __init__(self, path, *columns):
        self.found = {}
        for line in read(path):
            self.found.setdefault(tuple(line[c] for c in columns), {})[line["run"]] = line
        self.rows = list(dict.fromkeys(key[0] for key in self.found))
        self.runs = min(map(len, self.found.values()))
        self.kind = KIND[self.runs >= ENOUGH]
        valid = [line.get("valid") for lines in self.found.values() for line in lines.values()]
        self.bad = f"{valid.count('0')} of {len(valid)}"

    def values(self, key, column):
        return [float(line[column]) for line in self.found[key].values()]

    def median(self, key, column):
        return statistics.median(self.values(key, column))

    def ratio(self, above, below, column="samples_per_s"):
        """Of the pairs of one run: median and interval."""
        ours, theirs = self.found.get(above, {}), self.found.get(below, {})
        pairs = [float(ours[run][column]) / float(theirs[run][column]) for run in ours if run in theirs]
        return interval(pairs) if pairs else None

    def way(self, key):
        """Threads and strategy of most runs."""
        found = statistics.mode((line["threads"], line["strategy"]) for line in self.found[key].values())
        return found[1] if found[0] == "1" else f"{found[1]}, {found[0]} threads"


def threads_text(n):
    return f"{n} thread{'s' if n != '1' else ''}"


def share_text(found):
    return f"**{found[0]:.3f}** ({found[1]:.3f} to {found[2]:.3f})" if found else "-"


def fractions_block(results):
    """Fractions of the peak beside their ceilings; bf16 beside fp32."""
    at = Groups(results / "fractions.csv", "row", "precision", "asked")
    ceilings = (Groups(results / "ceilings.csv", "row", "threads")
                if has(results / "ceilings.csv") else None)
    counts = sorted({asked for _, _, asked in at.found if asked != "auto"}, key=int)
    head = ["row", *(f"{threads_text(n)}: {what}" for n in counts
                     for what in ("samples/s", "fraction of the peak", "ceiling"))]
    cells = []
    for row, precision in dict.fromkeys(key[:2] for key in at.found):
        name = row if precision == "fp32" else f"{row}, {precision}"
        cells.append([name, *(cell for n in counts for cell in fraction_cells(at, (row, precision, n), ceilings))])
    note = (f"Medians of {at.runs} runs, the fraction with its {at.kind}; in {at.bad} measurements the peak "
            "moved by more than 5 %, so that the machine was not quiet.")
    return "\n\n".join(part for part in [table(head, cells), note, bf16_note(at, counts[-1])] if part)


def fraction_cells(at, key, ceilings):
    if key not in at.found:
        return ["-", "-", "-"]
    row, precision, threads = key
    has = ceilings and precision == "fp32" and (row, threads) in ceilings.found
    return [rate_text(at.median(key, "samples_per_s")), share_text(interval(at.values(key, "fraction_of_peak"))),
            f"{ceilings.median((row, threads), 'ceiling'):.3f}" if has else "-"]


def bf16_note(at, threads):
    lines = []
    for row in at.rows:
        found = at.ratio((row, "bf16", threads), (row, "fp32", threads))
        if found:
            lines.append(f"bf16 trains {row} {ratio_text(found)} times as fast as fp32, on {threads_text(threads)}.")
    return "\n".join(lines)


RESTS = {"gradient_rest": "gradient", "forward_rest": "forward", "delta_rest": "delta",
         "gather_rest": "gather", "output_rest": "output", "update_rest": "optimiser", "joining": "joining",
         "loop": "loop", "waiting": "waiting", "barriers": "barriers"}
FUNCTIONS = ["activation", "derivative", "output", "optimizer", "gather"]


def ceilings_block(results):
    at = Groups(results / "ceilings.csv", "row", "threads")
    head = ["row", "threads", "useful / padded", "functions", "ceiling", "reached", "where the rest went"]
    cells = [[row, threads, f"{at.median(key, 'useful_over_padded'):.3f}", functions_text(at, key),
              f"{at.median(key, 'ceiling'):.3f}", f"{at.median(key, 'fraction_of_peak'):.3f}", rest_text(at, key)]
             for key in at.found for row, threads in [key]]
    note = (f"Medians of {at.runs} runs; in {at.bad} measurements the peak moved by more than 5 %. Shares are of "
            "a step's time; those below 0.5 % are left out.")
    return table(head, cells).replace("| ---: |\n", "| --- |\n", 1) + "\n\n" + note


def functions_text(at, key):
    return f"{100 * sum(at.median(key, part) for part in FUNCTIONS):.1f} %"


def rest_text(at, key):
    parts = sorted(((at.median(key, part), name) for part, name in RESTS.items()), reverse=True)
    return ", ".join(f"{name} {100 * share:.1f} %" for share, name in parts if share >= 0.005) or "-"


def threads_block(results):
    """Acceptance of `auto`, and what the second thread brings."""
    at = Groups(results / "fractions.csv", "row", "precision", "asked")
    if not any(key[2] == "auto" for key in at.found):
        return "Not measured yet."
    cores = max((key[2] for key in at.found if key[2] != "auto"), key=int)
    head = ["row", "auto chooses", "auto / 1 thread", f"{threads_text(cores)} / 1 thread", "of that of the peaks"]
    cells = [threads_cells(at, row, cores) for row in at.rows]
    text = table(head, cells) + f"\n\nMedians of {at.runs} runs, with their {at.kind}."
    more = results / "threads.csv"
    return text + (f"\n\n{too_many(more)}" if has(more) else "")


def threads_cells(at, row, cores):
    one, all_of_them, auto = ((row, "fp32", n) for n in ("1", cores, "auto"))
    gain, peaks = at.ratio(all_of_them, one), at.ratio(all_of_them, one, "fraction_of_peak")
    return [row, at.way(auto), share_text(at.ratio(auto, one)), f"{gain[0]:.2f}", share_text(peaks)]


def too_many(path):
    at = Groups(path, "row", "way")
    head = ["row", "`OMP_NUM_THREADS=64`, auto / auto", "`--threads 33` / as many as cores"]
    cells = [[row, share_text(at.ratio((row, "OMP 64"), (row, "auto"))),
              share_text(at.ratio((row, "33"), (row, "cores")))] for row in at.rows]
    return table(head, cells) + f"\n\nRatios of rates, medians of {at.runs} run{'s' * (at.runs > 1)}, with their {at.kind}."


def placement_block(results):
    """What placement costs or gains, and what a start takes."""
    at = Groups(results / "placement.csv", "row", "way")
    cells = [[row, at.way((row, "auto")), share_text(at.ratio((row, "auto"), (row, "none")))] for row in at.rows]
    text = table(["row", "auto chooses", "placement auto / none"], cells)
    text += f"\n\nRatios of rates, medians of {at.runs} runs, with their {at.kind}."
    more = results / "startup.csv"
    return text + (f"\n\n{starts(more)}" if has(more) else "")


def starts(path):
    at = Groups(path, "what")
    cells = [[what, f"{interval(at.values((what,), 'milliseconds'))[0]:.0f}",
              f"{max(at.values((what,), 'milliseconds')):.0f}"] for what in at.rows]
    return table(["a whole process", "milliseconds", "most"], cells) + f"\n\nMedians and most of {at.runs} starts."


def promise_block(results):
    at = Groups(results / "promise.csv", "row", "build")
    head = ["row", "numann", "free order", "numann / free order"]
    cells = [[row, promise_cell(at, (row, "numann")), promise_cell(at, (row, "free")),
              share_text(at.ratio((row, "numann"), (row, "free")))] for row in at.rows]
    whole = share_text(interval(geometric_means(at)))
    note = (f"Samples a second, medians of {at.runs} runs; ratios of the pairs of a run, with their {at.kind}; in "
            f"{at.bad} measurements the peak moved by more than 5 %.")
    return table(head, cells + [["geometric mean", "", "", whole]]) + "\n\n" + note


def promise_cell(at, key):
    line = next(iter(at.found[key].values()))
    grain = "" if line["grain"] == "auto" else f", grain {line['grain']}"
    return f"{rate_text(at.median(key, 'samples_per_s'))}<br>{line['strategy']}, {threads_text(line['threads'])}{grain}"


def geometric_means(at):
    """Of the rows' ratios, one a run that has all rows."""
    runs = set.intersection(*(set(lines) for lines in at.found.values()))
    return [math.exp(statistics.mean(
        math.log(float(at.found[row, "numann"][run]["samples_per_s"]) /
                 float(at.found[row, "free"][run]["samples_per_s"])) for row in at.rows)) for run in runs]


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
    return table(head, cells) + accuracy_note(lines, ways)


def accuracy_note(lines, ways):
    """numann's seconds over those of PyTorch's fastest way, seed by seed."""
    reached = {(x["program"], x["variant"], x["threads"], x["seed"]): float(x["seconds"]) for x in lines if x["seconds"]}
    seeds = sorted({x["seed"] for x in lines}, key=int)

    def of(way):
        return [reached[(*way, seed)] for seed in seeds if (*way, seed) in reached]

    fastest = min((way for way in ways if way[0] == "pytorch" and of(way)),
                  key=lambda way: statistics.median(of(way)), default=None)
    if not fastest:
        return ""
    ours = {seed: t for (program, *_, seed), t in reached.items() if program == "numann"}
    pairs = [ours[seed] / reached[(*fastest, seed)] for seed in seeds if seed in ours and (*fastest, seed) in reached]
    if not pairs:
        return ""
    return (f"\n\nnumann takes {share_text(interval(pairs))} of the time of PyTorch {fastest[1]}: the median of "
            f"{len(pairs)} seeds, with its {KIND[len(pairs) >= ENOUGH]}.")


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


def lbfgs_block(results):
    lines = []
    for row in read(results / "lbfgs.csv"):
        ratio = int(row["numann_gradients"]) / int(row["scipy_gradients"])
        lines.append([row["problem"], row["iterations"], row["scipy_objective"], row["scipy_gradients"],
                      row["numann_objective"], row["numann_gradients"], f"{ratio:.2f}"])
    head = ["problem", "iterations of SciPy", "SciPy", "gradients", "numann", "gradients", "numann / SciPy"]
    return table(head, lines)


BLOCKS = {  # name in README.md: function, files that it reads
    "machine": (machine_block, ["peers.json"]),
    "fractions": (fractions_block, ["fractions.csv"]),
    "ceilings": (ceilings_block, ["ceilings.csv"]),
    "threads": (threads_block, ["fractions.csv"]),
    "placement": (placement_block, ["placement.csv"]),
    "promise": (promise_block, ["promise.csv"]),
    "peers": (peers_block, ["peers.csv", "peers.json"]),
    "variants": (variants_block, ["variants.csv", "peers.json"]),
    "time-to-accuracy": (accuracy_block, ["time_to_accuracy.csv"]),
    "lbfgs": (lbfgs_block, ["lbfgs.csv"]),
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
        measured = all(has(args.results / file) for file in files)
        text = fill(text, name, function(args.results) if measured else "Not measured yet.")
    args.readme.write_text(text)


if __name__ == "__main__":
    main()
