"""Fits scikit-learn's trees to the rows it is given, for TestBesideScikitLearn.

Reads one JSON object from standard input: x (rows of features), y, train and test
(row numbers), seed. Writes the root mean squared errors on the test rows of
HistGradientBoostingRegressor, RandomForestRegressor and the training mean.
"""
import json
import sys

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor

q = json.load(sys.stdin)
x, y = np.array(q["x"], dtype=float), np.array(q["y"], dtype=float)
train, test = q["train"], q["test"]


def rmse(predicted):
    return float(np.sqrt(np.mean((predicted - y[test]) ** 2)))


boost = HistGradientBoostingRegressor(early_stopping=False, random_state=q["seed"]).fit(x[train], y[train])
forest = RandomForestRegressor(100, max_features=1 / 3, random_state=q["seed"]).fit(x[train], y[train])
json.dump(
    {
        "boost": rmse(boost.predict(x[test])),
        "forest": rmse(forest.predict(x[test])),
        "mean": rmse(np.full(len(test), y[train].mean())),
    },
    sys.stdout,
)
