package polymer

// site is a place where a monomer reacts in step growth.
type site struct {
	at   [2]int32 // the atoms that take part, by role
	or   int32    // what may take part as well in place of at[1], -1 if nothing
	next int32    // the carbon the group sits on, -1 if that does not matter
	gone []int32  // the atoms that leave
}

// moved is the site in a copy of the monomer whose first atom is offset.
func (s site) moved(offset int32) site {
	s.at[0] += offset
	s.at[1] += offset
	if s.or >= 0 {
		s.or += offset
	}
	if s.next >= 0 {
		s.next += offset
	}
	gone := make([]int32, len(s.gone))
	for i, a := range s.gone {
		gone[i] = a + offset
	}
	s.gone = gone
	return s
}

// sites are the places of both kinds.
type sites struct{ a, b []site }

// stepRule is a mechanism of step growth: groups of kind A react with groups of
// kind B.
type stepRule struct {
	a, b  string // what the groups are called
	find  func(k *monomer) sites
	react func(c *chain, a, b site)

	// onlyA: a chain with ends of both kinds is only offered monomers with A.
	onlyA bool
}

// stepRules are the mechanisms of step growth. When a chain has ends of both
// kinds and the monomer drawn has too, the chain's A meets the monomer's B.
var stepRules = map[Mechanism]stepRule{
	Ester:     {a: "aliphatic hydroxyl", b: "acid", find: esterSites, react: acylate},
	Amide:     {a: "primary amine", b: "acid", find: amideSites, react: acylate},
	Carbonate: {a: "hydroxyl", b: "carbonyl with two leaving groups", find: carbonateSites, react: acylate},
	Imide:     {a: "primary amine", b: "anhydride", find: imideSites, react: imidate, onlyA: true},
	NIPU:      {a: "primary amine", b: "cyclic carbonate", find: nipuSites, react: openCarbonate},
	Urethane:  {a: "isocyanate", b: "hydroxyl", find: urethaneSites, react: addHydroxyl},
}

// stepGrowth is what one rule needs to know of the monomers.
type stepGrowth struct {
	stepRule
	monomers []*monomer
	sites    []sites
	weights  []float64
}

// newStepGrowth finds the groups in all monomers.
func newStepGrowth(mechanism Mechanism, monomers []*monomer, weights []float64) (*stepGrowth, error) {
	g := &stepGrowth{stepRule: stepRules[mechanism], monomers: monomers, weights: weights}
	for i, k := range monomers {
		if mechanism == Ester {
			opened, err := k.openAnhydrides(i)
			if err != nil {
				return nil, err
			}
			if opened != k {
				g.monomers = append(append(g.monomers[:i:i], opened), g.monomers[i+1:]...)
				k = opened
			}
		}
		g.sites = append(g.sites, g.find(k))
	}
	return g, nil
}

// check refuses monomers that can never take part.
func (g *stepGrowth) check(mechanism Mechanism) error {
	a, b := 0, 0
	for i, s := range g.sites {
		if g.weights[i] == 0 {
			continue
		}
		if len(s.a)+len(s.b) == 0 {
			e := failure(LacksGroups, "monomer %d (%s) has neither %s nor %s, which %s joins",
				i+1, g.monomers[i].smiles, article(g.a), article(g.b), mechanism)
			e.Monomer = i
			return e
		}
		a, b = a+len(s.a), b+len(s.b)
	}
	if a == 0 || b == 0 {
		missing := g.a
		if b == 0 {
			missing = g.b
		}
		return failure(LacksGroups, "no monomer has %s; %s joins %s with %s",
			article(missing), mechanism, article(g.a), article(g.b))
	}
	return nil
}

// article puts a or an before a noun.
func article(noun string) string {
	switch noun[0] {
	case 'a', 'e', 'i', 'o':
		return "an " + noun
	}
	return "a " + noun
}

// growing is a chain in step growth with its open ends.
type growing struct {
	*stepGrowth
	c      *chain
	ends   sites
	length int
}

// grow builds a chain of dp monomers inside c. With ring it goes on until the
// chain has ends of both kinds, and closes it.
func (g *stepGrowth) grow(c *chain, choose chooser, dp int, ring bool) error {
	w := &growing{stepGrowth: g, c: c}
	start := make([]int, 0, len(g.monomers))
	for i, weight := range g.weights {
		if weight > 0 {
			start = append(start, i)
		}
	}
	w.extend(start[choose.index(len(start))])
	for w.length < dp || ring && w.length < dp+longestDetour && !w.closable() {
		if err := w.step(choose); err != nil {
			return err
		}
	}
	if ring {
		return w.close(choose)
	}
	return nil
}

// longestDetour is how many monomers more than DP a ring may take until its
// ends fit.
const longestDetour = 16

// extend copies monomer i into the chain and opens its sites.
func (w *growing) extend(i int) {
	offset := w.c.add(w.monomers[i].m)
	for _, s := range w.sites[i].a {
		w.ends.a = append(w.ends.a, s.moved(offset))
	}
	for _, s := range w.sites[i].b {
		w.ends.b = append(w.ends.b, s.moved(offset))
	}
	w.length++
}

// step adds one monomer.
func (w *growing) step(choose chooser) error {
	var fits func(s sites) bool
	hasA := func(s sites) bool { return len(s.a) > 0 }
	hasB := func(s sites) bool { return len(s.b) > 0 }
	switch a, b := len(w.ends.a), len(w.ends.b); {
	case a > 0 && b > 0 && w.onlyA:
		fits = hasA
	case a > 0 && b > 0:
		fits = func(s sites) bool { return hasA(s) || hasB(s) }
	case a > 1:
		fits = hasB
	case b > 1:
		fits = hasA
	default:
		return failure(ChainStopped, "the chain stops at %d of its monomers: it has %d %s and %d %s end left", w.length, a, w.a, b, w.b)
	}
	weights := make([]float64, len(w.monomers))
	any := false
	for i := range weights {
		if fits(w.sites[i]) {
			weights[i] = w.weights[i]
			any = any || weights[i] > 0
		}
	}
	if !any {
		return failure(ChainStopped, "the chain stops at %d of its monomers: no monomer reacts with its ends", w.length)
	}
	i := choose.weighted(weights)
	ends, new := w.ends, w.sites[i]
	var x, y int
	if len(ends.a) > 0 && hasB(new) {
		x, y = choose.index(len(ends.a)), len(ends.b)+choose.index(len(new.b))
	} else {
		x, y = len(ends.a)+choose.index(len(new.a)), choose.index(len(ends.b))
	}
	w.extend(i)
	w.join(choose, x, y)
	return nil
}

// join lets end x of kind A react with end y of kind B.
func (w *growing) join(choose chooser, x, y int) {
	a, b := w.ends.a[x], w.ends.b[y]
	if b.or >= 0 && choose.index(2) == 1 {
		b.at[1] = b.or
	}
	w.react(w.c, a, b)
	w.ends.a, w.ends.b = without(w.ends.a, x), without(w.ends.b, y)
}

// without drops element i, in place.
func without(list []site, i int) []site { return append(list[:i], list[i+1:]...) }

// pairs lists the pairs of ends that can meet without atoms being in both.
func (w *growing) pairs() (list [][2]int) {
	for x, a := range w.ends.a {
		for y, b := range w.ends.b {
			if a.next < 0 || a.next != b.next {
				list = append(list, [2]int{x, y})
			}
		}
	}
	return list
}

func (w *growing) closable() bool { return len(w.pairs()) > 0 }

// close joins two ends of the chain.
func (w *growing) close(choose chooser) error {
	pairs := w.pairs()
	if len(pairs) == 0 {
		return failure(ChainStopped, "the ends of the chain cannot close into a ring")
	}
	k := pairs[choose.index(len(pairs))]
	w.join(choose, k[0], k[1])
	return nil
}
