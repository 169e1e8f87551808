package board

import (
	"context"
	"fmt"
	"slices"

	"github.com/facilityd/facilityd/ticketing"
)

type replaceInput struct {
	SiteInput
	ID   string `path:"id" doc:"Id of the asset"`
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"200" doc:"Chosen by you: a retry under the same key changes nothing"`
	Body struct {
		Device   string `json:"device" minLength:"1" doc:"The new device: known, or seen and not known yet"`
		Replaces string `json:"replaces,omitempty" doc:"The device before; may be left out when the asset has only one"`
	}
}

// Replaced says which device took over from which.
type Replaced struct {
	Site     string `json:"site"`
	Asset    string `json:"asset"`
	Device   string `json:"device"`
	Replaces string `json:"replaces"`
}

func (b *Board) apiReplace(ctx context.Context, in *replaceInput) (*output[Replaced], error) {
	r, err := b.replace(ctx, Replaced{in.Site, in.ID, in.Body.Device, in.Body.Replaces}, in.Key)
	if err != nil {
		return nil, b.apiError(err)
	}
	return &output[Replaced]{r}, nil
}

func (b *Board) replace(ctx context.Context, r Replaced, key string) (Replaced, error) {
	p := personOf(ctx)
	if p == nil {
		return r, errNoPerson
	}
	var err error
	if r.Site, err = b.siteOfAsset(r.Site, r.Asset); err != nil {
		return r, err
	}
	invalid := func(field, code, format string, args ...any) (Replaced, error) {
		return r, &ticketing.InvalidError{Field: field, Code: code, Message: fmt.Sprintf(format, args...)}
	}
	var there []string
	known := b.stranger(r.Site, r.Device)
	for _, d := range b.cfg.Live.Devices(r.Site) {
		known = known || d.ID == r.Device
		if d.Asset == r.Asset && d.ID != r.Device {
			there = append(there, d.ID)
		}
	}
	if !known {
		return invalid("device", "replace_device", "nothing has been heard of a device %q: connect it first", r.Device)
	}
	switch {
	case r.Replaces == "" && len(there) == 1:
		r.Replaces = there[0]
	case r.Replaces == "" && len(there) == 0:
		return invalid("replaces", "replace_none", "the asset has no other device: adopt %s instead", r.Device)
	case r.Replaces == "":
		return invalid("replaces", "replace_which", "the asset has several devices; say which one was replaced: %v", there)
	case !slices.Contains(there, r.Replaces):
		return invalid("replaces", "replace_other", "%s is not another device of the asset; it has %v", r.Replaces, there)
	}
	return r, b.cfg.Live.Tell(ctx, r.Site, ticketing.Replacement(r.Asset, r.Device, r.Replaces, p.ID, key, b.cfg.Now()))
}
