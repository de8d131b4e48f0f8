package definition

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// valueKind is the shape of a value.
type valueKind uint8

const (
	null valueKind = iota
	boolean
	number
	words
	list
	table
)

var kindNames = [...]string{"nothing", "true or false", "a number", "text", "a list", "fields"}

// value is one value of a document, from YAML or from the journal.
type value struct {
	kind    valueKind
	text    string // scalars: as written, without quotes
	items   []*value
	members []member

	line, column int     // where it starts; 0 when it came from the journal
	style        style   // of words
	source       *source // the file it stands in
}

// member is one field of a table.
type member struct {
	name         string
	line, column int
	value        *value
}

// style is how words are written down.
type style uint8

const (
	plain style = iota
	single
	double
	block
)

// member returns the value of the field called name, nil when there is none.
func (v *value) member(name string) *value {
	for i := range v.members {
		if v.members[i].name == name {
			return v.members[i].value
		}
	}
	return nil
}

// valueOf converts a YAML node, reporting what definitions do not allow.
func valueOf(r *reporter, src *source, n ast.Node) *value {
	p := n.GetToken().Position
	v := &value{line: p.Line, column: p.Column, source: src}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		v.kind, v.text = boolean, fmt.Sprint(n.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		v.kind, v.text = number, n.GetToken().Value
	case *ast.StringNode:
		v.kind, v.text, v.style = words, n.Value, styleOf(n.GetToken().Origin)
	case *ast.LiteralNode:
		v.kind, v.text, v.style = words, n.Value.Value, block
	case *ast.SequenceNode:
		v.kind = list
		for _, item := range n.Values {
			v.items = append(v.items, valueOf(r, src, item))
		}
	case *ast.MappingNode:
		v.kind = table
		for _, m := range n.Values {
			v.add(r, m)
		}
	case *ast.MappingValueNode:
		v.kind = table
		v.add(r, n)
	case *ast.TagNode:
		r.at(v.line, v.column, "a value cannot start with ! here; put a rule that starts with ! between quotes")
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		r.at(v.line, v.column, "anchors and aliases (& and *) are not used in definitions; write the value out, or name a rule under values of the workspace")
	default:
		r.at(v.line, v.column, "definitions are made of fields, lists, texts, numbers, true and false only")
	}
	return v
}

// add takes one field over.
func (v *value) add(r *reporter, n *ast.MappingValueNode) {
	p := n.Key.GetToken().Position
	if len(v.members) == 0 {
		v.line, v.column = p.Line, p.Column
	}
	name := n.Key.GetToken().Value
	switch n.Key.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.BoolNode, *ast.NullNode:
	default:
		r.at(p.Line, p.Column, "the name of a field is one plain word; write name: value")
	}
	v.members = append(v.members, member{name, p.Line, p.Column, valueOf(r, v.source, n.Value)})
}

func styleOf(origin string) style {
	for _, c := range origin {
		switch c {
		case ' ', '\t', '\n', '\r':
			continue
		case '\'':
			return single
		case '"':
			return double
		}
		break
	}
	return plain
}
