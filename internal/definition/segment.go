package definition

// segmentSpec is the form of a segment document.
type segmentSpec struct {
	when phrase
}

func readSegment(f *form) *segmentSpec {
	return &segmentSpec{when: f.needPhrase("when", `write the rule that says who belongs, such as count("Order Completed", "all") > 0`)}
}
