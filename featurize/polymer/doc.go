// Package polymer builds polymer chains from the two notations that do not
// spell them out: monomers with a mechanism, and repeat units with two dummy
// atoms.
//
// Monomers react as in the m2p program (Wilson et al., PolyID,
// Macromolecules 2023), which stands model for the functional groups, the
// order in which monomers are drawn and what may happen at random: the outcomes
// and their probabilities are the same, apart from m2p's defects. These are not
// taken over:
//
//   - The fraction of meso diads has mean pm. m2p nearly always rounds it up.
//   - Acid halides give amides, cyclic anhydrides give esters (opened to their
//     diacids first) and bischloroformates give carbonates.
//   - In stereo mechanisms R and S of a monomer are mirror images, also where
//     m2p takes them from two different double bonds, as for butene and
//     butadiene.
//   - Rings close for urethane and NIPU as for the other mechanisms.
//   - Equal monomers may be listed twice, and weights count for monomers of one
//     pair as for others.
//   - A monomer that can never take part is refused, not drawn now and then.
//
// A chain is assembled from Kekulé copies of the monomers, written as SMILES and
// read again, so that what comes out is perceived exactly like a SMILES of the
// chain. All randomness goes through one seeded generator per chain.
package polymer
