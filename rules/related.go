package rules

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/facilityd/facilityd/devices"
)

// Rules may look across assets: sum(children, delta(volume, 7d)) is reckoned out
// once for every child, with a memory of its own for each, as if the rule ran
// there; facts and limits are those of the asset that the rule is about.
//
// It takes the others as they are known when a reading comes, its own or theirs:
// in which order the messages of two devices arrive may matter, so `for` should be
// longer than their intervals.
//
// A relation gives assets of the site file's tree. An asset that has none of the
// points is left out. What nobody can say is unknown: also when there is nobody.

// A relation is a word for others of whom a rule may ask.
type relation struct {
	name, doc string
	// seen lists whom an asset sees in the relation, seenBy who sees it; by id.
	seen, seenBy func(e *Engine, a *assetState) []string
}

var relations = []relation{
	{"children", "the assets that lie under the asset or that it feeds", (*Engine).childrenOf, (*Engine).parentsOf},
	{"siblings", "the other assets of the same class under the same parent, of the same duty", (*Engine).siblingsOf, (*Engine).siblingsOf},
	{"others", "the other points of the same role on the device, such as the other phases", nil, nil},
}

func relationByName(name string) *relation {
	for k := range relations {
		if relations[k].name == name {
			return &relations[k]
		}
	}
	return nil
}

// maxSiblings and maxChildren bound a group: more assets of one class under one
// parent are a site, not a group that works together.
const (
	maxSiblings = 64
	maxChildren = 1024
)

// A relatedUse is what one rule asks of its related assets in one place; equal
// calls share it.
type relatedUse struct {
	key   string
	rel   *relation
	roles []int // that a related asset must have
}

// family is the asset tree of a site: what lies under an asset or is fed by it.
type family map[string][]string

func familyOf(site *devices.Site) family {
	f := make(family)
	for k := range site.Assets {
		a := &site.Assets[k]
		for _, up := range above(a) {
			f[up] = append(f[up], a.ID)
		}
	}
	// order does not matter: every list is sorted for itself
	for up, list := range f {
		slices.Sort(list)
		f[up] = slices.Compact(list)
	}
	return f
}

// above lists the parent of an asset and what feeds it.
func above(a *devices.Asset) []string {
	if a.Parent == "" {
		return a.FedBy
	}
	return append(a.FedBy[:len(a.FedBy):len(a.FedBy)], a.Parent)
}

func (e *Engine) childrenOf(a *assetState) []string {
	if list := e.family[a.id]; len(list) <= maxChildren {
		return list
	}
	return nil
}

func (e *Engine) parentsOf(a *assetState) []string {
	if a.spec == nil {
		return nil
	}
	return above(a.spec)
}

func (e *Engine) siblingsOf(a *assetState) []string {
	if a.spec == nil || a.spec.Parent == "" {
		return nil
	}
	var out []string
	for _, id := range e.family[a.spec.Parent] {
		o := e.specs[id]
		if id == a.id || o.Parent != a.spec.Parent || o.Class != a.class || o.Facts["duty"].Word != a.spec.Facts["duty"].Word {
			continue
		}
		if out = append(out, id); len(out) > maxSiblings {
			return nil
		}
	}
	return out
}

// relationArg tells whether the arguments of a call begin with a relation.
func relationArg(args []ast.Node) *relation {
	if len(args) != 2 {
		return nil
	}
	id, ok := args[0].(*ast.IdentifierNode)
	if !ok {
		return nil
	}
	return relationByName(id.Value)
}

// related compiles what is asked of each of the related assets.
func (c *compiler) related(name string, args []ast.Node, loc file.Location) (use int, op operand, ok bool) {
	rel := relationArg(args)
	if rel == nil {
		c.usage(name, loc, "children, siblings or others is needed, and what is asked of each")
		return 0, op, false
	}
	if c.within != nil {
		c.usage(name, loc, "one relation cannot stand in another")
		return 0, op, false
	}
	outer, anchor, watches, silence := c.uses, c.anchor, len(c.watches), c.rule.silence
	c.uses, c.anchor, c.within = make(map[int]bool), false, rel
	op = c.compile(args[1])
	inner := slices.Sorted(maps.Keys(c.uses))
	c.uses, c.anchor, c.within = outer, anchor, nil
	switch {
	case op.bad:
		return 0, op, false
	case len(inner) == 0:
		c.usage(name, op.loc, "%s does not depend on the related assets", op.what)
		return 0, op, false
	case len(c.watches) != watches || c.rule.silence != silence:
		c.usage(name, op.loc, "detectors and silence are about the asset itself")
		return 0, op, false
	}
	// A role that is asked of the others may still be the asset's own as well.
	key := rel.name + "|" + c.text(args[1])
	use = slices.IndexFunc(c.rule.related, func(u relatedUse) bool { return u.key == key })
	if use < 0 {
		use = len(c.rule.related)
		c.rule.related = append(c.rule.related, relatedUse{key, rel, inner})
	}
	return use, op, true
}

// compileAmong is any and all: Kleene's or and and over the related assets.
func compileAmong(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	use, op, ok := c.related(name, args, loc)
	if !ok {
		return badOperand(loc)
	}
	if op, ok = c.asTruth(op); !ok {
		return badOperand(loc)
	}
	f, all := op.truth, name == "all"
	return operand{role: -1, loc: loc, what: c.callText(name, args), stateful: op.stateful, truth: func(ctx *evalContext) Truth {
		own := ctx.inst
		res, some := truthOf(all), false
		for _, p := range own.peers() {
			if p.use != use {
				continue
			}
			ctx.inst, some = p.inst, true
			if v := f(ctx); all {
				res = min(res, v)
			} else {
				res = max(res, v)
			}
		}
		ctx.inst = own
		if !some {
			return Unknown
		}
		return res
	}}
}

// compileOver is sum, median, least and greatest over the related assets. The sum,
// the least and the greatest are known when every one is; the median when most
// are, and two at least.
func compileOver(c *compiler, name string, args []ast.Node, loc file.Location) operand {
	use, op, ok := c.related(name, args, loc)
	if !ok {
		return badOperand(loc)
	}
	if op.number == nil {
		return c.usage(name, op.loc, "%s is not a number", op.what)
	}
	f := op.number
	return operand{role: -1, loc: loc, what: c.callText(name, args), unit: op.unit, stateful: op.stateful, number: func(ctx *evalContext) (float64, bool) {
		own := ctx.inst
		if own.kin == nil {
			return 0, false
		}
		vals, asked := own.kin.answers[:0], 0
		for _, p := range own.kin.peers {
			if p.use != use {
				continue
			}
			ctx.inst = p.inst
			asked++
			if v, ok := f(ctx); ok {
				vals = append(vals, v)
			}
		}
		ctx.inst = own
		own.kin.answers = vals
		if asked == 0 || name != "median" && len(vals) < asked || name == "median" && (len(vals) < 2 || 2*len(vals) <= asked) {
			return 0, false
		}
		v := foldOver(name, vals)
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	}}
}

func foldOver(name string, vals []float64) float64 {
	switch name {
	case "sum":
		sum := 0.0
		for _, v := range vals {
			sum += v
		}
		return sum
	case "min":
		return slices.Min(vals)
	case "max":
		return slices.Max(vals)
	}
	slices.Sort(vals)
	return (vals[(len(vals)-1)/2] + vals[len(vals)/2]) / 2
}

func (c *compiler) callText(name string, args []ast.Node) string {
	return fmt.Sprintf("%s(%s, %s)", name, c.text(args[0]), c.text(args[1]))
}

// A peer is a related asset as a rule's instance sees it: an instance that only
// remembers, bound to the asset's points.
type peer struct {
	use  int
	inst *instance
}

// kin is what an instance keeps of its related assets.
type kin struct {
	peers   []peer
	answers []float64 // room to reckon in
	// recalled is what a checkpoint says of peers, until all assets are read.
	recalled []recalled
}

type recalled struct {
	key, asset, device string
	lane               uint8
	inst               *instance
}

func (i *instance) peers() []peer {
	if i.kin == nil {
		return nil
	}
	return i.kin.peers
}

// meet binds an instance to its related assets anew. What it remembers of those
// that stay is kept.
func (e *Engine) meet(i *instance) {
	if len(i.rule.related) == 0 {
		i.kin = nil
		return
	}
	before := i.kin
	if before == nil {
		before = new(kin)
	}
	busy := i.busy
	e.setBusy(i, false)
	e.part(i)
	i.kin = new(kin)
	for k := range i.rule.related {
		use := &i.rule.related[k]
		if use.rel.seen == nil {
			e.meetOthers(i, k)
			continue
		}
		for _, id := range use.rel.seen(e, i.asset) {
			a := e.assets[id]
			if a == nil {
				continue
			}
			for _, d := range a.devices {
				if bind := e.resolve(a, d, 0, i.rule); boundAll(bind, use.roles) {
					e.befriend(i, k, a, d, 0, bind)
					break
				}
			}
		}
	}
	for _, p := range i.kin.peers {
		key := i.rule.related[p.use].key
		for _, o := range before.peers {
			if o.inst.rule.related[o.use].key == key && o.inst.asset == p.inst.asset && o.inst.dev == p.inst.dev && o.inst.lane == p.inst.lane {
				inheritSlots(p.inst, o.inst)
			}
		}
		for _, o := range before.recalled {
			if o.key == key && o.asset == p.inst.asset.id && o.device == p.inst.dev.dev.ID && o.lane == p.inst.lane {
				inheritSlots(p.inst, o.inst)
			}
		}
	}
	e.setBusy(i, busy)
	i.announce()
}

// meetOthers finds the other points of the role on the instance's own device.
func (e *Engine) meetOthers(i *instance, use int) {
	u := &i.rule.related[use]
	n := 0
	for _, slot := range u.roles {
		n = max(n, len(e.pointsOf(i.dev, i.rule.roles[slot].role)))
	}
	for lane := range min(n, 255) {
		if lane == int(i.lane) {
			continue
		}
		if bind := e.resolve(i.asset, i.dev, lane, i.rule); boundAll(bind, u.roles) {
			e.befriend(i, use, i.asset, i.dev, uint8(lane), bind)
		}
	}
}

func boundAll(bind []int32, roles []int) bool {
	return !slices.ContainsFunc(roles, func(r int) bool { return bind[r] < 0 })
}

// befriend adds a peer, and has the instance looked at when the peer's points
// change.
func (e *Engine) befriend(i *instance, use int, a *assetState, d *deviceState, lane uint8, bind []int32) {
	p := orphan(i.rule, a, d, lane)
	p.bind, p.have, p.consts, p.devs = bind, bound(bind), i.consts, d.self
	i.kin.peers = append(i.kin.peers, peer{use, p})
	all := e.reg.Points()
	for _, slot := range i.rule.related[use].roles {
		idx := bind[slot]
		owner := e.place(all[idx].Device.Index)
		if !slices.Contains(i.devs, owner) {
			i.devs = append(i.devs[:len(i.devs):len(i.devs)], owner)
		}
		e.visit(a, uint32(idx), i, slot)
	}
}

// visit has an instance of another asset look at a point in one of its roles.
func (e *Engine) visit(a *assetState, point uint32, i *instance, slot int) {
	v := visitor{dependent: dependent{slot: uint8(slot), still: !i.rule.each && !i.busy}, point: point, inst: i}
	v.look(i, e.points[point].value)
	k, found := slices.BinarySearchFunc(a.visitors, v, compareVisitors)
	if !found {
		a.visitors = slices.Insert(a.visitors, k, v)
		p := &e.points[point]
		e.place(p.device).narrow(p, point)
	}
}

// visitorsOf returns the instances of other assets that look at a point.
func (a *assetState) visitorsOf(point uint32) []visitor {
	if len(a.visitors) == 0 {
		return nil
	}
	k, _ := slices.BinarySearchFunc(a.visitors, point, func(v visitor, p uint32) int { return cmp.Compare(v.point, p) })
	n := k
	for n < len(a.visitors) && a.visitors[n].point == point {
		n++
	}
	return a.visitors[k:n]
}

func compareVisitors(a, b visitor) int {
	if a.point != b.point {
		return cmp.Compare(a.point, b.point)
	}
	return a.inst.compare(b.inst)
}

// part takes the instance off the points of its peers.
func (e *Engine) part(i *instance) {
	for _, p := range i.peers() {
		a := p.inst.asset
		a.visitors = slices.DeleteFunc(a.visitors, func(v visitor) bool { return v.inst == i })
	}
	i.devs = e.devicesOf(i.dev, i.bind)
}

// devicesOf lists the devices that an instance looks at, its own first.
func (e *Engine) devicesOf(own *deviceState, bind []int32) []*deviceState {
	list := own.self
	all := e.reg.Points()
	for _, idx := range bind {
		if idx < 0 {
			continue
		}
		if d := e.place(all[idx].Device.Index); !slices.Contains(list, d) {
			list = append(list[:len(list):len(list)], d)
		}
	}
	return list
}

// introduce has everybody who sees an asset in a relation meet it: its devices or
// points changed.
func (e *Engine) introduce(a *assetState) {
	for k := range relations {
		if relations[k].seenBy == nil {
			continue
		}
		for _, id := range relations[k].seenBy(e, a) {
			o := e.assets[id]
			if o == nil || o == a {
				continue
			}
			for _, i := range o.instances {
				if slices.ContainsFunc(i.rule.related, func(u relatedUse) bool { return u.rel == &relations[k] }) {
					e.meet(i)
				}
			}
		}
	}
}
