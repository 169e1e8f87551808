package devices

// A Role is what a point means, in one word that rules bind to. A profile maps
// a maker's field to a role; the value is converted to the role's unit.
type Role struct {
	Name  string
	Class string // class of asset it belongs to; "" for any
	Unit  string // canonical unit; "" for counts, states and words
	Kind  Kind
	Label Label
	// Brick and Haystack name the matching class or tags where they exist.
	Brick, Haystack string
}

// RoleByName finds a role, nil when the vocabulary has none of that name.
func RoleByName(name string) *Role {
	if i, ok := roleIndex[name]; ok {
		return &Roles[i]
	}
	return nil
}

var roleIndex = func() map[string]int {
	m := make(map[string]int, len(Roles))
	for i, r := range Roles {
		m[r.Name] = i
	}
	return m
}()
