"""PolyID's aggregate predictions, from ensemble_predictions.csv.gz (what a
two-fold ensemble that PolyID trained predicts for its training table, a row per
row and model): aggregate.csv.gz, means by monomers, and
aggregate_bypolymer.csv.gz, mean and std by chain. In float64.

Run from the repository's root with a python that has polyid==0.1.2.3:

    $POLYID_PYTHON data/testdata/gen_aggregate.py
"""
import gzip

import pandas as pd
from polyid import MultiModel

here = "data/testdata/"
predictions = pd.read_csv(here + "ensemble_predictions.csv.gz", float_precision="round_trip")


class Recorded(MultiModel):
    def make_predictions(self, df_prediction):
        return predictions.copy()


model = Recorded()
model.prediction_columns = ["Tg", "Tm"]


def write(name, table):
    with gzip.GzipFile(here + name, "wb", mtime=0) as f:
        f.write(table.to_csv(index=False).encode())


write("aggregate.csv.gz", model.make_aggregate_predictions(predictions))
write("aggregate_bypolymer.csv.gz", model.make_aggregate_predictions(predictions, funcs=["mean", "std"], groupby_monomers=False))
