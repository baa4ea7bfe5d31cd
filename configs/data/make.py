#!/usr/bin/env python3
# Make digits.csv.gz and iris.csv from scikit-learn's originals. SPDX-License-Identifier: MIT
"""Usage: make.py FOLDER

FOLDER holds the originals digits.csv.gz and iris.csv: sklearn/datasets/data of an installed
scikit-learn (Debian package python3-sklearn). The values stay as they are; only headers and names
are changed, see README.md. The output is the same to the byte on every run."""

import csv
import gzip
import io
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
IRIS_COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]


def to_csv(header, rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("ascii")


def make_digits(folder):
    """1,797 lines of 64 pixels and the digit; no header."""
    with gzip.open(folder / "digits.csv.gz", "rt", encoding="ascii") as file:
        rows = list(csv.reader(file))
    if len(rows) != 1797 or any(len(row) != 65 for row in rows):
        sys.exit("digits.csv.gz: 1797 rows of 65 numbers are expected")
    content = to_csv([f"p{i}" for i in range(64)] + ["label"], rows)
    with open(HERE / "digits.csv.gz", "wb") as file:
        # neither name nor time in the gz header, so that every run gives the same bytes
        with gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
            packed.write(content)


def make_iris(folder):
    """The first line is: rows, columns, then the name of each class; rows end with its number."""
    with open(folder / "iris.csv", encoding="ascii") as file:
        (count, width, *species), *rows = csv.reader(file)
    if len(rows) != int(count) or any(len(row) != int(width) + 1 for row in rows):
        sys.exit(f"iris.csv: {count} rows of {width} numbers and a class are expected")
    rows = [row[:-1] + [species[int(row[-1])]] for row in rows]
    (HERE / "iris.csv").write_bytes(to_csv(IRIS_COLUMNS, rows))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make_digits(pathlib.Path(sys.argv[1]))
    make_iris(pathlib.Path(sys.argv[1]))
