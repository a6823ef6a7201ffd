"""Asks RDKit, nfp and PolyID again what the golden files beside this hold.

    python gen_golden.py polyid.jsonl.gz edge.jsonl.gz rdkit_wheel.jsonl.gz morgan.jsonl.gz

Each file is rewritten in place, its SMILES kept: add a line {"src", "smiles"}
to extend it. Needs rdkit 2026.9.1, nfp 0.3.12 and polyid 0.1.2.3
(.ci/peers polyid).

Lines of the feature files:
  src, smiles, ok
  ok: a1, a2, am   atom_features_v1, v2, meso: {"t": distinct strings, "i": index per atom}
      b1, b2       bond_features_v1, v2, likewise per bond
      bonds        [begin, end] per bond
      conn, eb     nfp's directed edges in order, and the bond of each
  not ok: err_kind "parse" or "sanitize"; err_pos (1-based) where RDKit says it;
      problems     what DetectChemistryProblems finds, with the atoms
Lines of morgan.jsonl.gz: src, smiles, inv (per atom), sparse ({hash: count}).
"""
import gzip
import io
import json
import os
import re
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

from nfp.preprocessing.mol_preprocessor import SmilesPreprocessor  # noqa: E402
from polyid.preprocessors import features  # noqa: E402
from rdkit import Chem, RDLogger, rdBase  # noqa: E402
from rdkit.Chem import AllChem  # noqa: E402

rdBase.LogToPythonStderr()
MESO = {"polyid.jsonl.gz"}  # meso features mean something for polyesters only


def quietly(call, *args):
    """The result of call and what RDKit logged meanwhile."""
    log, sys.stderr = sys.stderr, io.StringIO()
    try:
        return call(*args), sys.stderr.getvalue()
    finally:
        sys.stderr = log


def packed(words):
    index = {}
    return {"i": [index.setdefault(w, len(index)) for w in words], "t": list(index)}


def describe(smiles, meso):
    mol, log = quietly(Chem.MolFromSmiles, smiles)
    if mol is None:
        return {"ok": False, **refusal(smiles, log)}
    mol = Chem.AddHs(mol)
    graph = SmilesPreprocessor().create_nx_graph(smiles)
    edges = [(u, v, d["bond"].GetIdx()) for u, v, d in graph.edges(data=True)]
    out = {
        "ok": True,
        "a1": packed(features.atom_features_v1(a) for a in mol.GetAtoms()),
        "a2": packed(features.atom_features_v2(a) for a in mol.GetAtoms()),
        "b1": packed(features.bond_features_v1(b) for b in mol.GetBonds()),
        "b2": packed(features.bond_features_v2(b) for b in mol.GetBonds()),
        "bonds": [[b.GetBeginAtomIdx(), b.GetEndAtomIdx()] for b in mol.GetBonds()],
        "conn": [[u, v] for u, v, _ in edges],
        "eb": [b for _, _, b in edges],
    }
    if meso:
        out["am"] = packed(features.atom_features_meso(a) for a in mol.GetAtoms())
    return out


def refusal(smiles, log):
    raw, _ = quietly(Chem.MolFromSmiles, smiles, False)
    if raw is None:
        out = {"err_kind": "parse"}
        if position := re.search(r"around position (\d+)", log):
            out["err_pos"] = int(position[1])
        return out
    problems = []
    for p in quietly(Chem.DetectChemistryProblems, raw)[0]:
        problem = {"type": p.GetType()}
        if hasattr(p, "GetAtomIndices"):
            problem["atoms"] = list(p.GetAtomIndices())
        else:
            problem["atom"] = p.GetAtomIdx()
        problems.append(problem)
    return {"err_kind": "sanitize", "problems": problems}


def morgan(smiles):
    mol, _ = quietly(Chem.MolFromSmiles, smiles)
    where = {}
    quietly(AllChem.GetMorganFingerprint, mol, 0, [], [], False, True, False, True, where)
    counts, _ = quietly(AllChem.GetMorganFingerprint, mol, 2)
    return {
        "inv": [h for _, h in sorted((atom, h) for h, at in where.items() for atom, _ in at)],
        "sparse": {str(h): n for h, n in sorted(counts.GetNonzeroElements().items())},
    }


for path in sys.argv[1:]:
    name = os.path.basename(path)
    with gzip.open(path, "rt") as f:
        rows = [json.loads(line) for line in f]
    with open(path + ".new", "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as f:
        for row in rows:
            facts = morgan(row["smiles"]) if name.startswith("morgan") else describe(row["smiles"], name in MESO)
            line = {"src": row["src"], "smiles": row["smiles"], **facts}
            f.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
    os.replace(path + ".new", path)
