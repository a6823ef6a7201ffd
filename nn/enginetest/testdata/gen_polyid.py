#!/usr/bin/env python3
"""Writes what PolyID answers: the .npz files and polymers.json.gz of this folder.

    gen_polyid.py small CSV OUT     weights, predictions, loss, gradients, ten Adam steps
    gen_polyid.py full CSV OUT      the published size with 128 molecule features, float32 only
    gen_polyid.py polymers CSV OUT  token graphs and targets of every row of CSV

CSV is data/stereopolymer_input_nopush.csv. Weights are read from
OUT/<case>_weights.npz where that exists, so that a second run repeats the first.
Versions: polyid 0.1.2.3, nfp 0.3.12, tensorflow 2.14.1, rdkit 2026.9.1.
"""
import gzip
import json
import os
import sys

import numpy as np
import pandas as pd
import tensorflow as tf
from polyid.models.base_models import global100
from polyid.preprocessors.features import atom_features_v1, bond_features_v1
from polyid.preprocessors.preprocessors import PolymerPreprocessor

META = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "meta.json")))
TARGETS = ["Tg", "Tm"]
CASES = {
    "small": dict(atom_features=16, bond_features=16, mol_features=16, num_messages=2),
    "full": dict(atom_features=128, bond_features=128, mol_features=128, num_messages=12),
}
# The full case keeps the gradients of these whole and only the norms of the rest.
WHOLE = ("atom_embedding", "bond_embedding", "block0.", "head")


class Data:
    """Rows of the CSV as PolyID's preprocessor, fitted on all of them, sees them."""

    def __init__(self, path):
        self.frame = pd.read_csv(path)
        self.pre = PolymerPreprocessor(
            explicit_hs=True, atom_features=atom_features_v1, bond_features=bond_features_v1, output_dtype="int32")
        self.inputs = [self.pre(row, train=True) for _, row in self.frame.iterrows()]
        y = self.frame[TARGETS].to_numpy("f8")
        self.targets = ((y - META["scaler_center"]) / META["scaler_scale"]).astype("f4")

    def batch(self, rows):
        """Inputs padded to the largest of rows, and targets."""
        x = [self.inputs[r] for r in rows]
        out = {}
        for key in ("atom", "bond", "connectivity"):
            n = max(len(i[key]) for i in x)
            out[key] = np.stack([np.pad(i[key], [(0, n - len(i[key]))] + [(0, 0)] * (i[key].ndim - 1)) for i in x])
        return {k: v.astype("i8") for k, v in out.items()}, self.targets[rows]


def build(case, data, dtype):
    """The model and its variables by the names used here."""
    tf.keras.backend.clear_session()
    tf.keras.backend.set_floatx(dtype)
    params = dict(CASES[case], dropout=0.0, learning_rate=1e-4, decay=1e-5)
    model = global100(data.pre, prediction_columns=TARGETS, params=params)
    layers = [l for l in model.layers if l.weights]
    kinds = {k: [l for l in layers if type(l).__name__ == k] for k in ("GlobalUpdate", "EdgeUpdate", "NodeUpdate", "Dense")}
    names = [("atom_embedding", model.get_layer("atom_embedding")), ("bond_embedding", model.get_layer("bond_embedding"))]
    pools = ["global_init"] + [f"block{j}.global" for j in range(params["num_messages"])]
    names += list(zip(pools, kinds["GlobalUpdate"]))
    names += [(f"block{j}.edge", l) for j, l in enumerate(kinds["EdgeUpdate"])]
    names += [(f"block{j}.node", l) for j, l in enumerate(kinds["NodeUpdate"])]
    names += [(f"head{i}", l) for i, l in enumerate(kinds["Dense"])]
    parts = {
        "Embedding": [""],
        "GlobalUpdate": [".query.kernel", ".query.bias", ".value.kernel", ".value.bias"],
        "EdgeUpdate": [".concat.dense1.kernel", ".concat.dense1.bias", ".concat.dense2.kernel", ".concat.dense2.bias"],
        "Dense": [".kernel", ".bias"],
    }
    parts["NodeUpdate"] = parts["EdgeUpdate"] + [".dense1.kernel", ".dense1.bias", ".dense2.kernel", ".dense2.bias"]
    variables = {}
    for name, layer in names:
        suffixes = parts[type(layer).__name__]
        assert len(suffixes) == len(layer.weights), (name, [w.name for w in layer.weights])
        variables.update({name + s: w for s, w in zip(suffixes, layer.weights)})
    return model, variables


def load(variables, weights):
    for name, v in variables.items():
        v.assign(weights[name])


def answers(model, variables, data, dtype, case):
    out = {}
    for key, rows in (("b1", META["one"]), ("b4", META["four"])):
        x, y = data.batch(rows)
        with tf.GradientTape() as tape:
            pred = model(x, training=True)
            loss = model.loss[0](tf.constant(y, dtype), pred)
        grads = tape.gradient(loss, list(variables.values()))
        out.update({f"{key}.in.{k}": v for k, v in x.items()})
        out.update({f"{key}.y_scaled": y, f"{key}.pred": pred.numpy(), f"{key}.loss": loss.numpy()})
        for name, g in zip(variables, grads):
            g = tf.convert_to_tensor(g).numpy()
            if case == "small" or key == "b1" and name.startswith(WHOLE):
                out[f"{key}.grad.{name}"] = g
            if case == "full":
                out[f"{key}.gradnorm.{name}"] = np.linalg.norm(g.astype("f8"))
    return out


def adam(model, variables, data):
    out, losses = {}, []
    for step, row in enumerate(META["seq"], 1):
        x, y = data.batch([row])
        losses.append(model.train_on_batch(x, y))
        if step in (1, 2, 10):
            out.update({f"step{step}.{n}": v.numpy() for n, v in variables.items()})
    return dict(out, train_on_batch_logged_loss=np.array(losses))


def polymers(data, path):
    graphs, index, rows = [], {}, []
    for x in data.inputs:
        ends = np.asarray(x["connectivity"])
        g = {k: np.asarray(v).tolist() for k, v in
             dict(atom=x["atom"], bond=x["bond"], src=ends[:, 0], dst=ends[:, 1]).items()}
        key = json.dumps(g)
        if key not in index:
            index[key] = len(graphs)
            graphs.append(g)
        rows.append(index[key])
    target = [[None if np.isnan(v) else v for v in y] for y in data.frame[TARGETS].to_numpy("f8").tolist()]
    text = json.dumps(dict(graphs=graphs, row=rows, target=target), separators=(",", ":"))
    with open(path, "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
        z.write(text.encode())


def main(case, csv, out):
    data = Data(csv)
    if case == "polymers":
        polymers(data, os.path.join(out, "polymers.json.gz"))
        return
    at = lambda name: os.path.join(out, f"{case}_{name}.npz")
    model, variables = build(case, data, "float32")
    if not os.path.exists(at("weights")):
        np.savez_compressed(at("weights"), **{n: v.numpy() for n, v in variables.items()})
    weights = dict(np.load(at("weights")))
    for dtype in ("float32", "float64") if case == "small" else ("float32",):
        short = dtype.replace("float", "f")
        model, variables = build(case, data, dtype)
        load(variables, weights)
        np.savez_compressed(at(f"out_{short}"), **answers(model, variables, data, dtype, case))
        if case == "small":
            np.savez_compressed(at(f"adam_{short}"), **adam(model, variables, data))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in (*CASES, "polymers"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
