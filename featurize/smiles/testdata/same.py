"""Reads lines of tab-separated SMILES and prints those whose first column is
another molecule for RDKit than one of the others.

    python same.py < pairs.tsv        # needs rdkit 2026.9.1
"""
import sys

from rdkit import Chem, RDLogger

RDLogger.DisableLog("rdApp.*")


def identity(smiles):
    """RDKit's canonical SMILES, taken twice as one pass is not always stable."""
    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        return None
    once = Chem.MolFromSmiles(Chem.MolToSmiles(mol))
    return Chem.MolToSmiles(once if once is not None else mol)


for line in sys.stdin:
    first, *others = line.rstrip("\n").split("\t")
    want = identity(first)
    if any(identity(other) != want for other in others):
        print(first)
