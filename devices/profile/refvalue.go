package profile

import (
	"strings"

	"github.com/tidwall/gjson"
)

// get evaluates a ref.
func (r *run) get(f *ref) value {
	var v value
	switch f.kind {
	case constRef:
		v = textValue(f.text)
	case captureRef:
		if s := r.captures[f.index]; s != "" {
			v = textValue(s)
		}
	case slotRef:
		v = r.slots[f.index]
	case rootSlotRef:
		v = r.rootSlots[f.index]
	case pathRef:
		if v = r.scope; f.text != "" {
			v = fromGJSON(gjson.Get(r.scope.raw, f.text))
		}
	case rootPathRef:
		if v = r.root; f.text != "" {
			v = fromGJSON(gjson.Get(r.root.raw, f.text))
		}
	case frameRef:
		v = r.frames[f.index].word(f.field)
	case framePath:
		el := r.frames[f.index].word(f.field)
		if el.kind == jsonValue {
			v = fromGJSON(gjson.Get(el.raw, f.text))
		}
	case metaRef:
		v = r.meta(f.text)
	case topicRef:
		v = textValue(r.msg.Topic)
	case textRef:
		buf, ok := r.appendParts(nil, f.parts, false)
		if ok {
			v = textValue(string(buf))
		}
	case dynPathRef, dynRootRef:
		buf, ok := r.appendParts(r.pathBuf[:0], f.parts, true)
		r.pathBuf = buf
		if ok {
			doc := r.scope.raw
			if f.kind == dynRootRef {
				doc = r.root.raw
			}
			v = fromGJSON(gjson.Get(doc, string(buf)))
		}
	case exprRef:
		v, _ = r.eval(f.expr, nil)
	}
	if v.kind == noValue && f.root != nil {
		v = r.get(f.root)
	}
	if f.match == nil && f.normalise == nil && f.mapping == nil && f.def == nil {
		return v
	}
	return f.refine(v)
}

// refine applies match, normalise, map and default.
func (f *ref) refine(v value) value {
	if v.kind == noValue || v.kind == nullValue {
		if f.def != nil {
			return textValue(*f.def)
		}
		return v
	}
	s := v.text()
	if f.match != nil {
		at := f.match.FindStringSubmatchIndex(s)
		switch {
		case at == nil:
			if f.def != nil {
				return textValue(*f.def)
			}
			return value{}
		case f.replace != "":
			s = string(f.match.ExpandString(nil, f.replace, s, at))
		case len(at) > 2:
			if at[2] < 0 {
				return value{}
			}
			s = s[at[2]:at[3]]
		default:
			s = s[at[0]:at[1]]
		}
	}
	for _, n := range f.normalise {
		s = n(s)
	}
	if f.mapping != nil {
		to, ok := f.mapping[s]
		switch {
		case ok:
			s = to
		case f.fallback != nil:
			s = *f.fallback
		case f.def != nil:
			s = *f.def
		default:
			return value{}
		}
	}
	return textValue(s)
}

// appendParts writes a text with words. ok is false when a word outside of an
// optional part is missing. Words inside of a path are escaped.
func (r *run) appendParts(dst []byte, parts []refPart, path bool) (_ []byte, ok bool) {
	for i := range parts {
		p := &parts[i]
		switch {
		case p.group != nil:
			n := len(dst)
			if dst, ok = r.appendParts(dst, p.group, path); !ok {
				dst = dst[:n]
			}
		case p.ref != nil:
			v := r.get(p.ref)
			if v.kind == noValue || v.kind == nullValue {
				return dst, false
			}
			if path && !p.path {
				dst = appendPathKey(dst, v.text())
			} else {
				dst = append(dst, v.text()...)
			}
		default:
			dst = append(dst, p.text...)
		}
	}
	return dst, true
}

// appendPathKey escapes what gjson would read as syntax in a key.
func appendPathKey(dst []byte, key string) []byte {
	for i := 0; i < len(key); i++ {
		if strings.IndexByte(`.\*?|#@!{}[]()<>="%~`, key[i]) >= 0 {
			dst = append(dst, '\\')
		}
		dst = append(dst, key[i])
	}
	return dst
}
