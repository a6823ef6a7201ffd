package main

import "testing"

// TestFrame holds what surrounds every page to axe-core and a phone's width.
func TestFrame(t *testing.T) {
	s := newService(t, "API_TOKENS=alice:correct-horse")
	b := browse(t)
	b.visit(s.url + "/docs")
	b.sees("h1", "Log in")
	b.accessible()
	b.phone()
	b.fits()
	b.mayComplain("401")
	b.fill("#token", "wrong-horse")
	b.press("\r")
	b.sees("[role=alert]", "not a token")
	b.accessible()
	b.fill("#token", "correct-horse")
	b.press("\r")
	b.is(`location.pathname === "/docs"`)
	b.visit(s.url + "/guide")
	b.sees("h1", "Guide")
	b.fits()
	b.accessible()
}
