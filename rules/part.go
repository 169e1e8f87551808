package rules

import (
	"github.com/expr-lang/expr/ast"
)

// A part is a piece of a condition that people can look at by itself: what is
// joined by and and or, in the order of writing.
type part struct {
	text  string
	truth truthFunc
	// sides are the values that a comparison compares; one that stands there as a
	// number is left out.
	sides []side
	depth int // of the bracket that it stands in
	or    bool
}

// A side is one value of a comparison.
type side struct {
	text, unit string
	number     numberFunc
	word       wordFunc
}

// joined lists the parts of a condition made by and or or.
func (c *compiler) joined(n *ast.BinaryNode, a, b operand) []part {
	or := n.Operator == "or" || n.Operator == "||"
	var out []part
	for k, x := range []operand{a, b} {
		node := []ast.Node{n.Left, n.Right}[k]
		list := x.parts
		if list == nil {
			list = []part{{text: c.text(node), truth: x.truth}}
		}
		deeper := 0
		if inner, ok := node.(*ast.BinaryNode); ok && len(list) > 1 && (inner.Operator == "or" || inner.Operator == "||") != or {
			deeper = 1
		}
		for j, p := range list {
			p.depth += deeper
			if k == 1 && j == 0 {
				p.or = or
			}
			out = append(out, p)
		}
	}
	return out
}

// compared is the one part that a comparison is.
func (c *compiler) compared(n *ast.BinaryNode, a, b, res operand) []part {
	if res.bad {
		return nil
	}
	p := part{text: c.text(n), truth: res.truth}
	for k, x := range []operand{a, b} {
		if x.constant || x.text != nil || x.lit != nil {
			continue
		}
		s := side{text: c.text([]ast.Node{n.Left, n.Right}[k]), unit: x.unit, number: x.number}
		if x.word != nil && (b.text != nil || a.text != nil || x.number == nil) {
			s.word, s.number = x.word, nil
		}
		p.sides = append(p.sides, s)
	}
	return []part{p}
}

// PartView is a piece of a condition and what it says now.
type PartView struct {
	Text  string
	Value Truth
	// Depth is how many brackets it stands in; Or tells that it is joined to what
	// stands before it by or.
	Depth int
	Or    bool
	Sides []SideView
}

// SideView is one value that a comparison looks at.
type SideView struct {
	Text  string
	Unit  string
	Value float64
	Word  string // in place of the value, where the role says words
	Known bool
}

func (cond *Condition) look(c *evalContext) []PartView {
	out := make([]PartView, len(cond.parts))
	for k, p := range cond.parts {
		v := PartView{Text: p.text, Value: p.truth(c), Depth: p.depth, Or: p.or}
		for _, s := range p.sides {
			x := SideView{Text: s.text, Unit: s.unit}
			if s.word != nil {
				x.Word, x.Known = s.word(c)
			} else {
				if x.Value, x.Known = s.number(c); !x.Known {
					x.Value = 0
				}
				x.Value = finite(x.Value)
			}
			v.Sides = append(v.Sides, x)
		}
		out[k] = v
	}
	return out
}
