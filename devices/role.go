package devices

// A Role is what a point means, in one word that rules bind to. A profile maps
// a maker's field to a role; the value is converted to the role's unit.
type Role struct {
	Name  string
	Class string // class of asset it belongs to; "" for any
	Unit  string // canonical unit; "" for counts, states and words
	Kind  Kind
	Label Label
	// Words are the states that a role of kind State may have, each with its
	// code; none means a truth value. Readings carry the code and the word.
	Words []Word
	// Brick and Haystack name the matching class or tags where they exist.
	Brick, Haystack string
}

// A Word is one state of an enumeration.
type Word struct {
	Code  int
	Name  string
	Label Label
}

// Word finds a state by its name, nil when the role has none of that name.
func (r *Role) Word(name string) *Word {
	for i := range r.Words {
		if r.Words[i].Name == name {
			return &r.Words[i]
		}
	}
	return nil
}

// RoleNames returns the vocabulary's names in its order.
func RoleNames() []string {
	names := make([]string, len(Roles))
	for i := range Roles {
		names[i] = Roles[i].Name
	}
	return names
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
