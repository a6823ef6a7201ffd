"""Loads folders with PolyID's own MultiModel and says what is in them and what
they predict, for polyid_test.go:

    $POLYID_PYTHON predict.py [--shim FILE] FOLDER... < polymers.json > answers.json

FILE is Python to run first.
"""

import argparse
import contextlib
import json
import pickle
import sys
import warnings
from pathlib import Path

import pandas as pd
from polyid.polyid import MultiModel
from sklearn.exceptions import InconsistentVersionWarning

warnings.simplefilter("error", InconsistentVersionWarning)


def frame(df):
    if df is None:
        return None
    return {
        "columns": list(df.columns),
        "dtypes": [str(t) for t in df.dtypes],
        "index": [int(i) for i in df.index],
        "rows": json.loads(df.to_json(orient="values", double_precision=15)),
    }


def describe(folder):
    mm = MultiModel.load_models(folder)
    mm.models.sort(key=lambda m: int(m.model_id))
    answers = mm.make_predictions(polymers)
    columns = [c + "_pred" for c in mm.prediction_columns]
    out = {
        "prediction_columns": mm.prediction_columns,
        "prediction_units": mm.prediction_units,
        "parameters": mm.parameters,
        "predictions": [answers[answers.model_id == m.model_id][columns].values.tolist() for m in mm.models],
        "aggregate": answers.groupby(answers.index)[columns].mean().values.tolist(),
        "models": [],
    }
    if hasattr(mm, "df_input"):
        out["df_input"] = frame(mm.df_input)
        out["df_polymer"] = len(mm.df_polymer)
    for m in mm.models:
        parts = Path(folder, "model_fold_" + m.model_id)
        with open(parts / "scaler.pk", "rb") as f:
            scaler = pickle.load(f)
        with open(parts / "preprocessor.pk", "rb") as f:
            preprocessor = pickle.load(f)
        assert preprocessor.atom_tokenizer._data == m.preprocessor.atom_tokenizer._data
        assert (scaler.scale_ == m.data_scaler.scale_).all() and (scaler.center_ == m.data_scaler.center_).all()
        assert m.atom_features is m.preprocessor.atom_features and callable(m.bond_features)
        out["models"].append({
            "layers": [layer.name for layer in m.model.layers],
            "weights": m.model.count_params(),
            "parameters": m.parameters,
            "frames": {k: frame(getattr(m, k)) for k in ("df_train", "df_validate", "df_validate_results", "df_loss_log")},
        })
    return out


arguments = argparse.ArgumentParser()
arguments.add_argument("--shim", type=Path)
arguments.add_argument("folders", nargs="+")
arguments = arguments.parse_args()
if arguments.shim:
    exec(arguments.shim.read_text())
polymers = pd.DataFrame({"smiles_polymer": json.load(sys.stdin)})
with contextlib.redirect_stdout(sys.stderr):
    answers = {folder: describe(folder) for folder in arguments.folders}
json.dump(answers, sys.stdout)
