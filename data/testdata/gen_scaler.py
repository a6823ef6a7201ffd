"""What scikit-learn's RobustScaler makes of many columns: scaler.jsonl.gz, one
case per line. Python writes floats so that they read back to the last bit.

Run from the repository's root with a python that has scikit-learn (recorded
with 1.9.1 on numpy 2.4.6; 1.3.0 on 1.26.4, which PolyID uses, writes the same):

    $RDKIT_PYTHON data/testdata/gen_scaler.py
"""
import csv
import gzip
import json

import numpy as np
from sklearn.preprocessing import RobustScaler

out = gzip.GzipFile("data/testdata/scaler.jsonl.gz", "wb", mtime=0)


def clean(values):
    return [None if np.isnan(v) else float(v) for v in values]


def emit(name, values):
    column = np.asarray(values, dtype=float).reshape(-1, 1)
    s = RobustScaler().fit(column)
    scaled = s.transform(column)
    out.write((json.dumps({
        "name": name, "values": clean(column[:, 0]),
        "center": float(s.center_[0]), "scale": float(s.scale_[0]),
        "scaled": clean(scaled[:, 0]), "back": clean(s.inverse_transform(scaled)[:, 0]),
    }) + "\n").encode())


def column(file, name, step):
    with open(file) as f:
        return [float(row[name] or "nan") for row in csv.DictReader(f)][::step]


for name in ["Tg", "Tm"]:
    emit(name, column("data/stereopolymer_input_nopush.csv", name, 1))
for name in ["Glass_Transition", "Density", "log10_Permeability_CO2", "YoungMod"]:
    emit(name, column("data/polymers_seven_properties.csv", name, 3))
emit("one", [3.5])
emit("two", [1.0, 4.0])
emit("constant", [0.1] * 7)
emit("nearly constant", [0.1 + 0.2, 0.3, 0.3, 0.3])
emit("middle constant", [1, 5, 5, 5, 5, 5, 9])
emit("missing", [np.nan, 2.0, np.nan, 7.0, 11.0])
rng = np.random.default_rng(0)
for n in range(3, 40):
    values = rng.normal(size=n) * 10.0 ** rng.integers(-6, 7)
    values[rng.random(n) < 0.2] = np.nan
    values[0] = 1 / 3
    emit(f"random {n}", values)
for n in [599, 600, 601]:  # numpy takes medians of long columns another way
    emit(f"random {n}", rng.lognormal(size=n))
out.close()
