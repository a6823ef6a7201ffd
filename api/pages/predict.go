package pages

import (
	"github.com/labstack/echo/v4"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/jobs"
	"polyid-trainer/worker/predict"
)

// predictPage is what the page that predicts begins with. What it shows of
// models and polymers it asks /v1 for.
type predictPage struct {
	Default    jobs.Revision `json:"default"`
	Mechanisms []string      `json:"mechanisms"`
	Examples   []example     `json:"examples"`
	MaxInputs  int           `json:"max_inputs"` // of a request in JSON
	MaxFile    int64         `json:"max_file"`   // bytes of a CSV
	Token      bool          `json:"token"`      // programs have to send one
	Trains     bool          `json:"trains"`     // this server does
}

// example is a polymer to try, by its name.
type example struct {
	Name string `json:"name"`
	predict.Input
}

func pm(v float64) *float64 { return &v }

// examples are common polymers by name and rows of the shipped tables, in all
// three notations.
var examples = []example{
	{"Polyethylene", predict.Input{RepeatUnit: "*CC*"}},
	{"Polypropylene", predict.Input{RepeatUnit: "*CC(*)C"}},
	{"Poly(vinyl chloride)", predict.Input{RepeatUnit: "*CC(*)Cl"}},
	{"Poly(ethylene terephthalate)", predict.Input{RepeatUnit: "*OCCOC(=O)c1ccc(C(*)=O)cc1"}},
	{"Nylon 6", predict.Input{RepeatUnit: "*NCCCCCC(*)=O"}},
	{"Nylon 6,6", predict.Input{RepeatUnit: "*NCCCCCCNC(=O)CCCCC(*)=O"}},
	{"Polycaprolactone", predict.Input{RepeatUnit: "*OCCCCCC(*)=O"}},
	{"Poly(ethylene oxide)", predict.Input{RepeatUnit: "*CCO*"}},
	{"Polyacrylonitrile", predict.Input{RepeatUnit: "*CC(*)C#N"}},
	{"Poly(vinyl acetate)", predict.Input{RepeatUnit: "*CC(*)OC(C)=O"}},
	{"Poly(tetrafluoroethylene)", predict.Input{RepeatUnit: "*C(F)(F)C(*)(F)F"}},
	{"Polyisobutylene", predict.Input{RepeatUnit: "*CC(*)(C)C"}},
	{"Polystyrene", predict.Input{RepeatUnit: "*CC(*)c1ccccc1"}},
	{"Poly(methyl methacrylate)", predict.Input{RepeatUnit: "*CC(*)(C)C(=O)OC"}},
	{"Bisphenol A polycarbonate", predict.Input{RepeatUnit: "*Oc1ccc(C(C)(C)c2ccc(OC(*)=O)cc2)cc1"}},
	{"Poly(lactic acid)", predict.Input{Monomers: []string{"C[C@@H](O)C(=O)O", "C[C@H](O)C(=O)O"}, Mechanism: "ester", PM: pm(0.98)}},
	{"Poly(mandelic acid)", predict.Input{Monomers: []string{"O=C(O)[C@@H](O)c1ccccc1", "O=C(O)[C@H](O)c1ccccc1"}, Mechanism: "ester", PM: pm(1)}},
	{"Poly(3-hydroxybutyrate)", predict.Input{Polymer: "C[C@@H](O)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O[C@H](C)CC(=O)O"}},
}

// Predict shows the page that predicts.
type Predict struct {
	Default    jobs.Revision // what predicts unless somebody chooses another
	Mechanisms []string      // the polymerizations that a model can be asked about
}

// Routes implements httpapi.Area.
func (a *Predict) Routes(s *httpapi.Server) {
	data := predictPage{
		Default: a.Default, Mechanisms: a.Mechanisms, Examples: examples,
		MaxInputs: s.Limits.Inputs, MaxFile: s.Limits.Prediction, Token: !s.Tokens.None(),
	}
	s.ShowPage("/predict", "Predict", func(echo.Context) (*httpapi.Page, error) {
		shown := data
		shown.Trains = s.Shows("/")
		return &httpapi.Page{Title: "Predict", Template: "predict.html", Script: "predict.js", Data: shown}, nil
	})
}
