package document

import "go.yaml.in/yaml/v4"

// Places tells where every value of a document stands, by its dotted path
// (journal.sync, brokers[0].url). A document that cannot be read has none.
func Places(data []byte) map[string]Pos { return walk(data, false) }

// Keys tells where every key of a document stands, by the dotted path of its
// value.
func Keys(data []byte) map[string]Pos { return walk(data, true) }

func walk(data []byte, keys bool) map[string]Pos {
	var root yaml.Node
	out := make(map[string]Pos)
	if yaml.Unmarshal(data, &root) != nil || len(root.Content) == 0 {
		return out
	}
	var visit func(n *yaml.Node, path string)
	visit = func(n *yaml.Node, path string) {
		if !keys {
			out[path] = Pos{n.Line, n.Column}
		}
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				k := n.Content[i]
				if keys {
					out[join(path, k.Value)] = Pos{k.Line, k.Column}
				}
				visit(n.Content[i+1], join(path, k.Value))
			}
		case yaml.SequenceNode:
			for i, c := range n.Content {
				visit(c, element(path, i))
			}
		}
	}
	visit(root.Content[0], "")
	return out
}
