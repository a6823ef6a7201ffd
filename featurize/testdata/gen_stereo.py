"""Asks RDKit and PolyID's feature functions about stereochemistry.

    python gen_stereo.py stereo.jsonl.gz
        rewrites the file in place, its SMILES kept: add a line {"src", "smiles"}
        to extend it
    python gen_stereo.py --decorate SEED COUNT < smiles
        prints the lines of COUNT molecules made by giving random tags and bond
        directions to the SMILES read, one a line

Lines: src, smiles, ok, and the columns of gen_golden.py that depend on
stereochemistry: a2, b2, and b3 for bond_features_v3 in both directions, that
from the bond's begin first, and am. Needs rdkit 2026.9.1 and polyid 0.1.2.3
(.ci/peers polyid).
"""
import gzip
import importlib.util
import json
import os
import random
import re
import sys

from rdkit import Chem, RDLogger

RDLogger.DisableLog("rdApp.*")

# The module alone: the package would load TensorFlow.
_package = importlib.util.find_spec("polyid").submodule_search_locations[0]
_spec = importlib.util.spec_from_file_location("features", os.path.join(_package, "preprocessors", "features.py"))
features = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(features)

TOKEN = re.compile(r"\[[^\]]*\]|Br|Cl|%\d\d|.")
TAGS = (Chem.ChiralType.CHI_TETRAHEDRAL_CW, Chem.ChiralType.CHI_TETRAHEDRAL_CCW)
GEOMETRIES = (Chem.BondStereo.STEREOCIS, Chem.BondStereo.STEREOTRANS)


def packed(words):
    index = {}
    return {"i": [index.setdefault(w, len(index)) for w in words], "t": list(index)}


def read(smiles):
    try:
        return Chem.MolFromSmiles(smiles)
    except Exception:  # RDKit's invariants show as RuntimeError
        return None


def describe(smiles):
    mol = read(smiles)
    if mol is None:
        return {"ok": False}
    mol = Chem.AddHs(mol)
    return {
        "ok": True,
        "a2": packed(map(features.atom_features_v2, mol.GetAtoms())),
        "b2": packed(map(features.bond_features_v2, mol.GetBonds())),
        "b3": packed(
            features.bond_features_v3(b, flipped=flipped) for b in mol.GetBonds() for flipped in (False, True)
        ),
        "am": packed(map(features.atom_features_meso, mol.GetAtoms())),  # last, as it changes tags
    }


def line(src, smiles):
    row = {"src": src, "smiles": smiles, **describe(smiles)}
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False)


def decorate_text(rng, smiles):
    """Tags and directions put into the SMILES where they may make no sense."""
    out, tokens = [], TOKEN.findall(smiles)
    for i, token in enumerate(tokens):
        luck = rng.random()
        if token in ("C", "N", "S", "P") and luck < 0.25:
            token = "[" + token + rng.choice(("@", "@@")) + rng.choice(("", "H", "H")) + "]"
        elif token == "C" and luck < 0.3:
            token = rng.choice(("[13CH2]", "[Si]", "[As]", "C=C", "C1CC1", "C=C=C", "N", "P", "S"))
        elif token == "=" and out and out[-1] != ")" and luck < 0.5:
            out.insert(len(out) - 1, rng.choice("/\\"))
            if i + 1 < len(tokens):
                token, tokens[i + 1] = "=" + tokens[i + 1] + rng.choice(("/", "\\", "")), ""
        out.append(token)
    return "".join(out)


def decorate_graph(rng, smiles):
    """Tags on sp3 atoms and geometries on double bonds, written from a random atom."""
    mol = read(smiles)
    share = rng.choice((0.1, 0.3, 0.6, 1))
    for a in mol.GetAtoms():
        if (
            a.GetHybridization() == Chem.HybridizationType.SP3
            and a.GetDegree() >= 2
            and a.GetTotalNumHs() < 2
            and rng.random() < share
        ):
            if a.GetTotalNumHs() == 1:
                a.SetNumExplicitHs(1)
                a.SetNoImplicit(True)
            a.SetChiralTag(rng.choice(TAGS))
    for b in mol.GetBonds():
        ends = b.GetBeginAtom(), b.GetEndAtom()
        sides = [[n.GetIdx() for n in ends[k].GetNeighbors() if n.GetIdx() != ends[1 - k].GetIdx()] for k in (0, 1)]
        if b.GetBondType() == Chem.BondType.DOUBLE and all(0 < len(s) < 3 for s in sides) and rng.random() < share:
            b.SetStereoAtoms(*map(rng.choice, sides))
            b.SetStereo(rng.choice(GEOMETRIES))
    return Chem.MolToSmiles(mol, doRandom=True, canonical=False)


def decorated(seed, count, smiles):
    rng = random.Random(seed)
    smiles = [s for s in smiles if read(s) is not None]
    while count > 0:
        s = rng.choice(smiles)
        for how in rng.choice(((decorate_text,), (decorate_graph,), (decorate_graph, decorate_text))):
            s = how(rng, s)
            if read(s) is None:
                break
        else:
            yield s
            count -= 1


if sys.argv[1] == "--decorate":
    for s in decorated(int(sys.argv[2]), int(sys.argv[3]), sys.stdin.read().split()):
        print(line("decorated", s))
else:
    path = sys.argv[1]
    with gzip.open(path, "rt") as f:
        rows = [json.loads(row) for row in f]
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as f:
        for row in rows:
            f.write(line(row["src"], row["smiles"]).encode() + b"\n")
