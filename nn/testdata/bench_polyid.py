"""Times PolyID on TensorFlow beside this project, in one run on one machine.

    $POLYID_PYTHON nn/testdata/bench_polyid.py [--batch 1] [--rounds 2] [--polymers 300] [--alone]

Each round times PolyID's default job (global100, 128 features, 8 molecule
features, 12 messages) on the shipped table in batches of --batch, on all cores,
then runs `go run ./api bench`, which trains one fold per core at once. A ratio
compares what the machine gets done: PolyID's ms per polymer with ours divided by
the folds that ran side by side.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
root = pathlib.Path(__file__).resolve().parents[2]


def polyid(polymers, batch):
    """Returns ms per training step and polymer, predictions per second and their versions."""
    import nfp
    import pandas as pd
    import polyid
    import tensorflow as tf
    from polyid.models.base_models import global100
    from polyid.polyid import SingleModel
    from polyid.preprocessors import PolymerPreprocessor

    table = pd.read_csv(root / "data" / "stereopolymer_input_nopush.csv")
    targets = ["Tg", "Tm"]
    with contextlib.redirect_stdout(sys.stderr):
        single = SingleModel(df_train=table, df_validate=table, prediction_columns=targets, model_id="0")
        single.generate_data_scaler()
        single.generate_preprocessor(
            PolymerPreprocessor,
            atom_features=nfp.preprocessing.features.atom_features_v1,
            bond_features=nfp.preprocessing.features.bond_features_v1,
            batch_size=batch,
        )
        params = dict(
            atom_features=128, bond_features=128, mol_features=8, num_messages=12,
            dropout=0.05, learning_rate=1e-4, decay=1e-5,
        )
        model = single.model = global100(single.preprocessor, prediction_columns=targets, params=params)
        rows = len(table)
        model.fit(single.train_generator, epochs=1, verbose=0)  # traces, and fills the data cache
        epochs = max(1, polymers // rows)
        start = time.perf_counter()
        model.fit(single.train_generator, epochs=epochs, verbose=0)
        epoch = (time.perf_counter() - start) / epochs
        single.predict(table.head(4))
        start = time.perf_counter()
        single.predict(table)
        predict = rows / (time.perf_counter() - start)
    return {
        "ms_per_step": 1e3 * epoch / -(-rows // batch),
        "ms_per_polymer": 1e3 * epoch / rows,
        "predict_per_s": predict,
        "versions": {"polyid": polyid.__version__, "tensorflow": tf.__version__, "nfp": nfp.__version__},
    }


def ours(batch):
    out = subprocess.run(["go", "run", "./api", "bench", "--batch", str(batch)], cwd=root, check=True, stdout=subprocess.PIPE)
    return json.loads(out.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--polymers", type=int, default=300, help="to train on, by whole epochs")
    parser.add_argument("--alone", action="store_true", help="time PolyID only")
    args = parser.parse_args()
    rounds = []
    for _ in range(args.rounds):
        peer = polyid(args.polymers, args.batch)
        if args.alone:
            rounds.append({"polyid": peer})
            continue
        mine = ours(args.batch)
        rounds.append({
            "polyid": peer,
            "ours": mine,
            "step_ratio": peer["ms_per_polymer"] / (mine["ms_per_polymer"] / mine["folds_parallel"]),
            "predict_ratio": mine["predict_per_s"] / peer["predict_per_s"],
        })
    json.dump(rounds, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
