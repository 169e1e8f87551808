package document

import "go.yaml.in/yaml/v4"

// Places tells where every value of a document stands, by its dotted path
// (journal.sync, brokers[0].url). A document that cannot be read has none.
func Places(data []byte) map[string]Pos {
	var root yaml.Node
	out := make(map[string]Pos)
	if yaml.Unmarshal(data, &root) != nil || len(root.Content) == 0 {
		return out
	}
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		out[path] = Pos{n.Line, n.Column}
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				walk(n.Content[i+1], join(path, n.Content[i].Value))
			}
		case yaml.SequenceNode:
			for i, c := range n.Content {
				walk(c, element(path, i))
			}
		}
	}
	walk(root.Content[0], "")
	return out
}
