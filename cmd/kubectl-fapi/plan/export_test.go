package plan

// HasConsequences tells whether the table has the member.
func HasConsequences(member string) bool {
	_, known := consequences[member]
	return known
}
