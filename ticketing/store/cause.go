package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
)

// place writes a step into the order that its episode belongs to: the one of its
// asset and fault class, or that of the episode that explains it.
func (b *batch) place(ctx context.Context, ep *episodeRow, t *rules.Transition) error {
	var own *draft
	var err error
	if ep.known {
		if own, err = b.load(ctx, ep.state.Order); err != nil {
			return err
		}
	}
	if ep.known && !ep.state.Before(t) || ep.known && t.Phase == rules.Cleared {
		return b.stay(own, ep, t)
	}
	cause, err := b.orderOfCause(ctx, underOf(t))
	if err != nil {
		return err
	}
	inside := ticketing.PersonInside(t.Evidence)
	key := ticketing.StepKey(t)
	switch {
	case !ep.known && cause != nil && !inside:
		return b.attach(ep, cause, t, key)
	case !ep.known:
		d, err := b.orderFor(ctx, ep, t)
		if err == nil {
			err = b.join(d, ep, t)
		}
		if err != nil || cause == nil || d == cause {
			return err
		}
		return b.link(d, cause, t, key+"/explained")
	case ep.state.Attached && (inside || underOf(t) == ""):
		return b.release(ctx, ep, own, t, key)
	case cause == nil || cause == own:
		return b.stay(own, ep, t)
	case ep.state.Attached:
		return b.carry(ctx, ep, own, cause, t, key)
	case own.order.GivesWay(ep.id.String()) && !inside:
		return b.giveWay(ctx, ep, own, cause, t, key)
	case own.order.Under != cause.order.ID:
		if err := b.link(own, cause, t, key); err != nil {
			return err
		}
		b.remember(ep, own.order.ID, t)
		return nil
	}
	return b.stay(own, ep, t)
}

// underOf names the episode that explains the one of a step, "" for none.
func underOf(t *rules.Transition) string {
	if t.Under == (rules.EpisodeID{}) {
		return ""
	}
	return t.Under.String()
}

// orderOfCause finds the order that holds an episode, as long as somebody may
// still have to do something about it, or said that the fault is known: then it is
// the rules that say how long it explains others.
func (b *batch) orderOfCause(ctx context.Context, episode string) (*draft, error) {
	ep := b.episodes[episode]
	if ep == nil || !ep.known {
		return nil, nil
	}
	d, err := b.load(ctx, ep.state.Order)
	if err != nil || !d.order.State.Active() && !d.order.Known() {
		return nil, err
	}
	return d, nil
}

// stay writes a step into the order that has its episode.
func (b *batch) stay(d *draft, ep *episodeRow, t *rules.Transition) error {
	known := ep.state
	if err := b.record(d, ep, t, &known); err != nil {
		return err
	}
	b.remember(ep, d.order.ID, t)
	return nil
}

// join lets an episode stand for itself.
func (b *batch) join(d *draft, ep *episodeRow, t *rules.Transition) error {
	ep.state.Attached = false
	if err := b.record(d, ep, t, nil); err != nil {
		return err
	}
	b.remember(ep, d.order.ID, t)
	return nil
}

// attach makes an episode a consequence of an order.
func (b *batch) attach(ep *episodeRow, cause *draft, t *rules.Transition, key string) error {
	ep.state.Attached = true
	entries := ticketing.AddConsequence(cause.order, t, b.criticality(t), b.at)
	rekey(entries, t, key)
	if err := b.write(cause, ep, t, entries); err != nil {
		return err
	}
	b.remember(ep, cause.order.ID, t)
	b.touch(ep)
	ep.state.Order = cause.order.ID
	return nil
}

func (b *batch) link(d, cause *draft, t *rules.Transition, key string) error {
	e := ticketing.Link(d.order, cause.order, t, b.at)
	e.Key = key
	return b.append(d, &e)
}

// carry moves a consequence, and what follows from it, to another order.
func (b *batch) carry(ctx context.Context, ep *episodeRow, from, to *draft, t *rules.Transition, key string) error {
	e := ticketing.Release(from.order, to.order.ID, t, b.at)
	e.Key = key + "/released"
	if err := b.append(from, &e); err != nil {
		return err
	}
	t, err := b.withEvidence(ctx, ep, t)
	if err == nil {
		err = b.attach(ep, to, t, key)
	}
	if err != nil {
		return err
	}
	return b.follow(ctx, ep, from, to, key)
}

// release lets a consequence stand for itself again.
func (b *batch) release(ctx context.Context, ep *episodeRow, from *draft, t *rules.Transition, key string) error {
	t, err := b.withEvidence(ctx, ep, t)
	if err != nil {
		return err
	}
	d, err := b.orderFor(ctx, ep, t)
	if err != nil {
		return err
	}
	ep.state.Attached = false
	entries := ticketing.Receive(d.order, nil, t, b.criticality(t), b.numbers+1, b.at)
	rekey(entries, t, key)
	if d.order == nil {
		b.numbers++
		d.order = &ticketing.Order{}
	}
	if err := b.write(d, ep, t, entries); err != nil {
		return err
	}
	b.remember(ep, d.order.ID, t)
	b.touch(ep)
	ep.state.Order = d.order.ID
	e := ticketing.Release(from.order, d.order.ID, t, b.at)
	e.Key = key + "/released"
	if err := b.append(from, &e); err != nil {
		return err
	}
	return b.follow(ctx, ep, from, d, key)
}

// giveWay cancels an order that nobody has taken up and makes its episode, with
// what follows from it, consequences of another order.
func (b *batch) giveWay(ctx context.Context, ep *episodeRow, own, cause *draft, t *rules.Transition, key string) error {
	carried := slices.Clone(own.order.Consequences)
	e := ticketing.GiveWay(own.order, cause.order, t, b.at)
	e.Key = key + "/cancelled"
	if err := b.append(own, &e); err != nil {
		return err
	}
	delete(b.active, assetKey{own.order.Asset, own.order.FaultClass})
	t, err := b.withEvidence(ctx, ep, t)
	if err == nil {
		err = b.attach(ep, cause, t, key)
	}
	for _, h := range carried {
		if err != nil {
			return err
		}
		err = b.reattach(ctx, h.Episode, cause, key)
	}
	return err
}

// reattach makes an episode that no order has any more a consequence of another.
func (b *batch) reattach(ctx context.Context, id string, to *draft, key string) error {
	ep, t, err := b.toMove(ctx, id)
	if err != nil {
		return err
	}
	return b.attach(ep, to, t, key+"/"+id)
}

// toMove is an episode with a step that says what is known of it, evidence too.
func (b *batch) toMove(ctx context.Context, id string) (*episodeRow, *rules.Transition, error) {
	ep, err := b.episode(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	t, err := b.withEvidence(ctx, ep, ep.asKnown(b))
	return ep, t, err
}

// follow takes the consequences of an episode along when it goes from one order
// to another.
func (b *batch) follow(ctx context.Context, cause *episodeRow, from, to *draft, key string) error {
	children, err := b.explainedBy(ctx, cause.id.String())
	if err != nil {
		return err
	}
	for _, ep := range children {
		if ep.state.Attached && ep.state.Order == from.order.ID && ep.state.Phase != rules.Cleared {
			if err := b.carry(ctx, ep, from, to, ep.asKnown(b), key+"/"+ep.id.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// gather brings the episodes that came before their cause to its order.
func (b *batch) gather(ctx context.Context, cause *episodeRow, t *rules.Transition) error {
	to, err := b.orderOfCause(ctx, cause.id.String())
	if err != nil || to == nil {
		return err
	}
	// Those of the database came with the others of the batch.
	for _, ep := range b.under(cause.id.String()) {
		if ep.state.Phase == rules.Cleared || ep.state.Order == to.order.ID {
			continue
		}
		own, err := b.load(ctx, ep.state.Order)
		if err != nil {
			return err
		}
		key, known := ticketing.StepKey(t)+"/"+ep.id.String(), ep.asKnown(b)
		switch {
		case ep.state.Attached:
			err = b.carry(ctx, ep, own, to, known, key)
		case own.order.GivesWay(ep.id.String()):
			err = b.giveWay(ctx, ep, own, to, known, key)
		case own.order.Under != to.order.ID:
			err = b.link(own, to, known, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// explainedBy reads the episodes that one explains, in the order of their ids.
func (b *batch) explainedBy(ctx context.Context, id string) ([]*episodeRow, error) {
	if err := b.readEpisodes(ctx, "under", []any{id}); err != nil {
		return nil, fmt.Errorf("read what %s explains: %w", id, err)
	}
	return b.under(id), nil
}

func (b *batch) under(id string) []*episodeRow {
	var out []*episodeRow
	for _, ep := range b.unders[id] {
		if ep.under == id && !slices.Contains(out, ep) {
			out = append(out, ep)
		}
	}
	slices.SortFunc(out, func(a, b *episodeRow) int { return strings.Compare(a.id.String(), b.id.String()) })
	return out
}

// explain notes which episode explains another.
func (b *batch) explain(ep *episodeRow, under string) {
	if ep.under = under; under != "" {
		b.unders[under] = append(b.unders[under], ep)
	}
}

func (b *batch) episode(ctx context.Context, id string) (*episodeRow, error) {
	if ep := b.episodes[id]; ep == nil || !ep.known {
		if err := b.readEpisodes(ctx, "id", []any{id}); err != nil {
			return nil, fmt.Errorf("read episode %s: %w", id, err)
		}
	}
	if ep := b.episodes[id]; ep != nil && ep.known {
		return ep, nil
	}
	return nil, fmt.Errorf("episode %s: %w", id, ticketing.ErrNotFound)
}

// asKnown is a step that says of an episode what is known already, for moving it
// without a step of its own.
func (ep *episodeRow) asKnown(b *batch) *rules.Transition {
	sev, _ := rules.ParseSeverity(ep.severity)
	return &rules.Transition{
		Episode: ep.id, Seq: ep.state.Seq, Ordinal: ep.state.Ordinal, Phase: ep.state.Phase, Severity: sev, Rule: ep.rule, Onset: ep.onset,
		At: b.at.UnixNano(), Simulated: ep.simulated, Cause: rules.CauseExplained,
	}
}

// withEvidence is a step with the newest evidence of its episode where it has
// none of its own: evidence goes with the episode into another order.
func (b *batch) withEvidence(ctx context.Context, ep *episodeRow, t *rules.Transition) (*rules.Transition, error) {
	if t.Evidence != nil {
		return t, nil
	}
	if ep.evidence == nil {
		var doc string
		err := b.tx.QueryRowContext(ctx, `SELECT doc FROM evidence WHERE order_id = $1 AND episode = $2 ORDER BY version DESC LIMIT 1`,
			ep.state.Order, ep.id.String()).Scan(&doc)
		if errors.Is(err, sql.ErrNoRows) {
			return t, nil
		}
		if err == nil {
			ep.evidence, err = parse[rules.Evidence](doc)
		}
		if err != nil {
			return nil, fmt.Errorf("read the evidence of episode %s: %w", ep.id, err)
		}
	}
	with := *t
	with.Evidence = ep.evidence
	return &with, nil
}

// rekey gives entries that a step caused in a second order keys of their own.
func rekey(entries []ticketing.Entry, t *rules.Transition, key string) {
	was := ticketing.StepKey(t)
	for i := range entries {
		entries[i].Key = key + entries[i].Key[len(was):]
	}
}
