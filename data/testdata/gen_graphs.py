"""Which rows of PolyID's training table v1 features cannot tell apart, one
number per row: "tokens" by equal arrays of atoms and directed bonds, "molecule"
by equal molecules without stereo, whatever the order of their atoms.

Run from the repository's root with a python that has rdkit==2026.9.1 and pandas:

    $RDKIT_PYTHON data/testdata/gen_graphs.py > data/testdata/graphs.json
"""
import json

import pandas as pd
from rdkit import Chem


def numbered(keys):
    seen = {}
    return [seen.setdefault(k, len(seen)) for k in keys]


def tokens(mol):
    mol = Chem.AddHs(mol)
    atoms = [(a.GetSymbol(), a.GetDegree(), a.GetIsAromatic()) for a in mol.GetAtoms()]
    edges = []
    for a in mol.GetAtoms():
        for b in sorted(a.GetBonds(), key=lambda b: b.GetIdx()):
            edges.append((a.GetIdx(), b.GetOtherAtomIdx(a.GetIdx()), str(b.GetBondType()), b.GetIsConjugated(), b.IsInRing()))
    return str((atoms, edges))


smiles = pd.read_csv("data/stereopolymer_input_nopush.csv").smiles_polymer
mols = [Chem.MolFromSmiles(s) for s in smiles]
print(json.dumps({
    "tokens": numbered(map(tokens, mols)),
    "molecule": numbered(Chem.MolToSmiles(m, isomericSmiles=False) for m in mols),
}))
