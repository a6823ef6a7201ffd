"""PolyID's own five folds of its training table, by row: polyid_split.json.

Run from the repository's root with a python that has polyid==0.1.2.3:

    $POLYID_PYTHON data/testdata/gen_split.py > data/testdata/polyid_split.json
"""
import json

import numpy as np
import pandas as pd
from polyid import MultiModel

np.random.seed(0)
model = MultiModel()
model.df_input = pd.read_csv("data/stereopolymer_input_nopush.csv")
model.prediction_columns = ["Tg", "Tm"]
model.prediction_units = {"Tg": ["C"], "Tm": ["C"]}
model.split_data(kfolds=5)
print(json.dumps({
    str(i): {"train": [int(r) for r in m.df_train.index], "validate": [int(r) for r in m.df_validate.index]}
    for i, m in enumerate(model.models)
}))
