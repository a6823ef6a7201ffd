package featurize

import (
	"strconv"

	"polyid-trainer/featurize/mol"
)

// Python's names of RDKit's enumerations, as they show inside a tuple.
var (
	chiralTag = [...]string{
		mol.Unspecified:         "rdkit.Chem.rdchem.ChiralType.CHI_UNSPECIFIED",
		mol.Clockwise:           "rdkit.Chem.rdchem.ChiralType.CHI_TETRAHEDRAL_CW",
		mol.Counterclockwise:    "rdkit.Chem.rdchem.ChiralType.CHI_TETRAHEDRAL_CCW",
		mol.Allene:              "rdkit.Chem.rdchem.ChiralType.CHI_ALLENE",
		mol.SquarePlanar:        "rdkit.Chem.rdchem.ChiralType.CHI_SQUAREPLANAR",
		mol.TrigonalBipyramidal: "rdkit.Chem.rdchem.ChiralType.CHI_TRIGONALBIPYRAMIDAL",
		mol.Octahedral:          "rdkit.Chem.rdchem.ChiralType.CHI_OCTAHEDRAL",
	}
	hybridization = [...]string{
		mol.HybridizationUnspecified: "rdkit.Chem.rdchem.HybridizationType.UNSPECIFIED",
		mol.S:                        "rdkit.Chem.rdchem.HybridizationType.S",
		mol.SP:                       "rdkit.Chem.rdchem.HybridizationType.SP",
		mol.SP2:                      "rdkit.Chem.rdchem.HybridizationType.SP2",
		mol.SP3:                      "rdkit.Chem.rdchem.HybridizationType.SP3",
		mol.SP2D:                     "rdkit.Chem.rdchem.HybridizationType.SP2D",
		mol.SP3D:                     "rdkit.Chem.rdchem.HybridizationType.SP3D",
		mol.SP3D2:                    "rdkit.Chem.rdchem.HybridizationType.SP3D2",
		mol.HybridizationOther:       "rdkit.Chem.rdchem.HybridizationType.OTHER",
	}
	bondStereo = [...]string{
		mol.StereoNone:  "rdkit.Chem.rdchem.BondStereo.STEREONONE",
		mol.StereoAny:   "rdkit.Chem.rdchem.BondStereo.STEREOANY",
		mol.StereoZ:     "rdkit.Chem.rdchem.BondStereo.STEREOZ",
		mol.StereoE:     "rdkit.Chem.rdchem.BondStereo.STEREOE",
		mol.StereoCis:   "rdkit.Chem.rdchem.BondStereo.STEREOCIS",
		mol.StereoTrans: "rdkit.Chem.rdchem.BondStereo.STEREOTRANS",
	}
)

// appendRingSize appends nfp's get_ring_size: 0 outside rings, the size of the
// smallest ring up to 11, 'max' beyond.
func appendRingSize(dst []byte, ring uint8) []byte {
	if ring < 12 {
		return strconv.AppendInt(dst, int64(ring), 10)
	}
	return append(dst, "'max'"...)
}

// appendInt appends an integer that is not the first of its tuple.
func appendInt(dst []byte, v int) []byte {
	return strconv.AppendInt(append(dst, ", "...), int64(v), 10)
}

// appendBool appends a truth value that is not the first of its tuple.
func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, ", True"...)
	}
	return append(dst, ", False"...)
}
