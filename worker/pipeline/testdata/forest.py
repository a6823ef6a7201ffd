"""Fits scikit-learn's random forest of 300 trees to Morgan counts of repeat units.

Reads {"smiles": [...], "values": {property: [number or null]}, "held": [row]} on stdin; writes, for each property, the mean
absolute error on the rows held out: of the forest, and of the median of the other rows.
"""
import json
import sys

import numpy as np
from rdkit import Chem, RDLogger
from rdkit.Chem import rdFingerprintGenerator
from sklearn.ensemble import RandomForestRegressor

RDLogger.DisableLog("rdApp.*")
asked = json.load(sys.stdin)
morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
x = np.array([morgan.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(s)) for s in asked["smiles"]])
held = np.zeros(len(x), bool)
held[asked["held"]] = True
out = {}
for name, values in asked["values"].items():
    y = np.array([np.nan if v is None else v for v in values])
    train, test = ~held & ~np.isnan(y), held & ~np.isnan(y)
    forest = RandomForestRegressor(300, n_jobs=-1, random_state=0).fit(x[train], y[train])
    out[name] = {
        "forest": float(np.abs(forest.predict(x[test]) - y[test]).mean()),
        "median": float(np.abs(np.median(y[train]) - y[test]).mean()),
    }
json.dump(out, sys.stdout)
