"""Trains a small two-fold ensemble with PolyID itself and writes what
keras_test.go reads: ensemble.zip (the folder MultiModel saves) and
predictions.csv.gz (what MultiModel.make_predictions answers for every row), and
with_training.pk.gz (a data file saved with save_training=True).

    $POLYID_PYTHON gen_ensemble.py      # PolyID 0.1.2.3, TensorFlow 2.14.1

TensorFlow's training is not reproducible, so the numbers differ from run to
run; the first two files always belong together.
"""

import gzip
import io
import pathlib
import tempfile
import zipfile

import pandas as pd
from polyid.models.base_models import global100
from polyid.parameters import Parameters
from polyid.polyid import MultiModel
from polyid.preprocessors.features import atom_features_v1, bond_features_v1
from polyid.preprocessors.preprocessors import PolymerPreprocessor

here = pathlib.Path(__file__).resolve().parent
csv = here.parents[2] / "data" / "stereopolymer_input_nopush.csv"

rows = pd.read_csv(csv)
mm = MultiModel()
mm.df_input, mm.prediction_columns = rows, ["Tg", "Tm"]
mm.split_data(kfolds=2, stratify=False)
mm.generate_data_scaler()
mm.generate_preprocessors(PolymerPreprocessor, atom_features_v1, bond_features_v1, batch_size=1, explicit_hs=True)
params = Parameters(
    kfolds=2, prediction_columns=["Tg", "Tm"], atom_features=32, mol_features=32, num_messages=3,
    batch_size=1, epochs=3, learning_rate=1e-3, dropout=0.05, decay=1e-5,
).to_dict()

with tempfile.TemporaryDirectory() as folder:
    mm.train_models(global100, model_params=params, save_folder=folder)
    loaded = MultiModel.load_models(folder, nmodels=2)
    with zipfile.ZipFile(here / "ensemble.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.is_file():
                z.write(path, path.relative_to(folder))

with tempfile.TemporaryDirectory() as folder:
    mm.models[0]._save_model(folder, save_training=True)
    packed = pathlib.Path(folder, "model_0_data.pk").read_bytes()
with open(here / "with_training.pk.gz", "wb") as f, gzip.GzipFile("", "wb", 9, f, 0) as z:
    z.write(packed)

out = io.StringIO()
answers = loaded.make_predictions(rows)
answers[["model_id", "smiles_polymer", "Tg_pred", "Tm_pred"]].to_csv(out, index=False)
with open(here / "predictions.csv.gz", "wb") as f, gzip.GzipFile("", "wb", 9, f, 0) as z:
    z.write(out.getvalue().encode())
