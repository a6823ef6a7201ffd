"""Says what RDKit makes of molecules: one JSON line per JSON string on stdin.

    python ask_chemistry.py < strings > answers

Needs rdkit 2026.9.1 (.ci/peers). Lines:
  ok: atoms   atom_features_v1 of each atom, with its hybridization (by number), charge and radicals
      bonds   bond_features_v1 of each bond, with its begin and end
  not ok: kind "syntax", with pos where RDKit says it; else "valence" or "kekulize", with the first atom if
          RDKit says it, numbered without the hydrogens that are folded
"""
import io
import json
import re
import sys

from rdkit import Chem, rdBase

rdBase.LogToPythonStderr()


def read(smiles):
    """The molecule and what RDKit logged meanwhile."""
    log, sys.stderr = sys.stderr, io.StringIO()
    try:
        return Chem.MolFromSmiles(smiles), sys.stderr.getvalue()
    except Exception:  # an assertion of RDKit's
        return None, sys.stderr.getvalue()
    finally:
        sys.stderr = log


def atom(a):
    features = a.GetSymbol(), a.GetDegree(), a.GetTotalNumHs(), a.GetValence(Chem.ValenceType.IMPLICIT), a.GetIsAromatic()
    return f"{features} {int(a.GetHybridization())} {a.GetFormalCharge()} {a.GetNumRadicalElectrons()}"


def bond(b):
    features = b.GetBondType(), b.GetIsConjugated(), b.IsInRing(), sorted([b.GetBeginAtom().GetSymbol(), b.GetEndAtom().GetSymbol()])
    return f"{features} {b.GetBeginAtomIdx()} {b.GetEndAtomIdx()}"


def refusal(log):
    if "Parse Error" in log:
        position = re.search(r"around position (\d+)", log)
        return {"kind": "syntax", "pos": int(position[1]) if position else 0}
    last = (log.strip().splitlines() or [""])[-1]
    if found := re.search(r"Unkekulized atoms: (\d+)|non-ring atom (\d+)|screwed up valence on (\d+)", last):
        return {"kind": "kekulize", "atom": int(next(filter(None, found.groups())))}
    found = re.search(r"atom # (\d+)", last)
    return {"kind": "valence", "atom": int(found[1]) if found else None}


for line in sys.stdin:
    mol, log = read(json.loads(line))
    if mol is None:
        print(json.dumps({"ok": False, **refusal(log)}))
        continue
    mol = Chem.AddHs(mol)
    print(json.dumps({"ok": True, "atoms": [atom(a) for a in mol.GetAtoms()], "bonds": [bond(b) for b in mol.GetBonds()]}))
