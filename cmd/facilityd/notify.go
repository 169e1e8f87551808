package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/configs/people"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/notify"
	"github.com/facilityd/facilityd/ticketing/roster"
	"github.com/facilityd/facilityd/ticketing/store"
)

func notifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "See and try the messages that people get",
		Long: `Shows in which words people are told of orders, and whether they can be reached.
Channels and contacts are in the people file: configs/people/GUIDE.md.`,
	}
	cmd.AddCommand(notifyPreviewCommand(), notifyTestCommand())
	return cmd
}

// kinds of message that can be looked at without waiting for one.
var kinds = []notify.Kind{
	notify.New, notify.Escalated, notify.Silent, notify.Worse, notify.Again, notify.Assigned,
	notify.Warning, notify.Overdue, notify.Update, notify.Cleared, notify.Summary,
}

func notifyPreviewCommand() *cobra.Command {
	var order, tier, fault, asset, site, kind, lang, channel string
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Print the messages that would be sent, and send nothing",
		Long: `Prints a message as it is written, and with --channel exactly as that channel of
the people file would get it, secrets left out. It is about an order of the
database (--order) or about one that is made up from --tier, --fault and --asset.`,
		Example: `  facilityd notify preview --tier P1 --lang zh
  facilityd notify preview --fault pump.dry_run --asset pump-1 --kind warning
  facilityd notify preview --order demo-17 --channel mail`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			bundles, list := daemon.Check(&e.Settings)
			if list.HasErrors() {
				_ = list.Print(cmd.ErrOrStderr())
				return exitError{}
			}
			k := notify.Kind(kind)
			if !slices.Contains(kinds, k) {
				var words []string
				for _, k := range kinds {
					words = append(words, string(k))
				}
				return fmt.Errorf("--kind %s: one of %s", kind, strings.Join(words, ", "))
			}
			langs := messages.Languages
			if lang != "" {
				if langs = []string{lang}; !slices.Contains(messages.Languages, lang) {
					return fmt.Errorf("--lang %s: use one of %v", lang, messages.Languages)
				}
			}
			now := time.Now()
			var f notify.Facts
			if order != "" {
				f, err = orderFacts(cmd, bundles, order, k)
			} else {
				f, err = sampleFacts(bundles, site, tier, fault, asset, k, now)
			}
			if err != nil {
				return err
			}
			return printMessages(cmd.OutOrStdout(), &e.Settings, bundles, &f, langs, channel, now)
		},
	}
	settingsFlags(cmd)
	fl := cmd.Flags()
	fl.StringVar(&order, "order", "", "number of an order, such as demo-17")
	fl.StringVar(&tier, "tier", "P2", "tier of a made-up order: P1 to P4")
	fl.StringVar(&fault, "fault", "lift.entrapment", "its fault class")
	fl.StringVar(&asset, "asset", "", "its asset (default the first of the site's)")
	fl.StringVar(&site, "site", "", "its site, where there are several")
	fl.StringVar(&kind, "kind", string(notify.New), "what the message is about: new, escalated, warning, update, digest, …")
	fl.StringVar(&lang, "lang", "", "en or zh (default both)")
	fl.StringVar(&channel, "channel", "", "print it as this channel gets it; all prints every channel")
	return cmd
}

func printMessages(out io.Writer, s *configs.Settings, bundles []*configs.Bundle, f *notify.Facts, langs []string, channel string, now time.Time) error {
	crew, list := daemon.OpenCrew(s, bundles, now)
	if list.HasErrors() {
		return list.Err()
	}
	catalogue, err := messages.Load()
	if err != nil {
		return err
	}
	w := &notify.Writer{Messages: catalogue, Board: strings.TrimSuffix(s.BoardURL, "/")}
	var channels []notify.Config
	if channel != "" {
		if crew == nil {
			return errors.New("the settings name no people file, so there are no channels")
		}
		channels = crew.People.Channels
		if channel != "all" {
			c, err := channelFlag(crew, channel)
			if err != nil {
				return err
			}
			channels = []notify.Config{c}
		}
	}
	for _, lang := range langs {
		m := w.Write(f, lang, now)
		m.Key = "preview"
		if channel == "" {
			fmt.Fprintf(out, "%s\n\n", m.String())
		}
		for _, c := range channels {
			address := ""
			if to := crew.Allowed()[c.Name]; len(to) > 0 {
				address = to[0]
			}
			text, err := crew.Channels.Preview(c.Name, address, &m)
			if err != nil {
				return fmt.Errorf("%s: %w", c, err)
			}
			fmt.Fprintf(out, "--- %s, %s\n%s\n", c, lang, text)
		}
	}
	return nil
}

func channelFlag(crew *daemon.Crew, name string) (notify.Config, error) {
	var names []string
	for _, c := range crew.People.Channels {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return notify.Config{}, fmt.Errorf("there is no channel %q (%s)", name, diag.DidYouMean(name, names))
}

// orderFacts are those of an order of the database.
func orderFacts(cmd *cobra.Command, bundles []*configs.Bundle, number string, k notify.Kind) (f notify.Facts, err error) {
	return f, withOrders(cmd, func(s *store.Store) error {
		o, err := s.Order(cmd.Context(), number)
		if errors.Is(err, ticketing.ErrNotFound) {
			return fmt.Errorf("there is no order %s; facilityd order list shows what there is", number)
		}
		if err != nil {
			return err
		}
		site := daemon.Site(bundles, o.Site)
		if site == nil {
			site = &devices.Site{ID: o.Site, Name: devices.Label{EN: o.Site}, Location: time.UTC}
		}
		t, err := daemon.Template(o.FaultClass)
		if err != nil {
			return err
		}
		f = notify.OrderFacts(k, o, site, t)
		f.By, f.At = o.Assignee, o.Since.In(f.Onset.Location())
		if o.Assignee != "" {
			if p, err := s.Person(cmd.Context(), o.Assignee); err == nil {
				f.By = p.Name
			}
		}
		return nil
	})
}

// sampleFacts are those of an order that is made up.
func sampleFacts(bundles []*configs.Bundle, site, tier, fault, asset string, k notify.Kind, now time.Time) (notify.Facts, error) {
	b, err := siteFlag(bundles, site)
	if err != nil {
		return notify.Facts{}, err
	}
	t, err := ticketing.ParseTier(tier)
	if err != nil {
		return notify.Facts{}, err
	}
	class, err := faultFlag(fault)
	if err != nil {
		return notify.Facts{}, err
	}
	ids := []string{}
	for _, a := range b.Site.Assets {
		if a.Class != "place" {
			ids = append(ids, a.ID)
		}
	}
	switch {
	case asset == "" && len(ids) > 0:
		asset = ids[0]
		if i := slices.IndexFunc(b.Site.Assets, func(a devices.Asset) bool { return strings.HasPrefix(class.ID, shortClass(a.Class)) }); i >= 0 {
			asset = b.Site.Assets[i].ID
		}
	case asset == "":
		asset = "asset-1"
	case len(ids) > 0 && !slices.Contains(ids, asset):
		return notify.Facts{}, fmt.Errorf("there is no asset %q (%s)", asset, diag.DidYouMean(asset, ids))
	}
	tmpl, err := daemon.Template(class.ID)
	if err != nil {
		return notify.Facts{}, err
	}
	zone := b.Site.Location
	o := &ticketing.Order{
		ID: "example", Number: 17, Site: b.Site.ID, Asset: asset, FaultClass: class.ID, Tier: t, State: ticketing.Accepted,
		Onset: now.Add(-7 * time.Minute), Why: why(b, class), Reason: "parts",
	}
	f := notify.OrderFacts(k, o, b.Site, tmpl)
	f.By, f.At, f.Level, f.Target = "Li Na", now.Add(-5*time.Minute).In(zone), 80, ticketing.ToArrive
	if k == notify.New || k == notify.Escalated || k == notify.Warning {
		f.Due = now.Add(25 * time.Minute).In(zone)
	}
	if k == notify.Worse {
		f.Reason = "person_inside"
	}
	if k == notify.Again {
		f.Reason = ""
	}
	if k == notify.Summary {
		f.Orders = []notify.Facts{f, f, f}
		for i := range f.Orders {
			f.Orders[i].Order = ticketing.NumberText(b.Site.ID, int64(17+i))
		}
		f.Order, f.Path = "", "/orders"
	}
	return f, nil
}

// shortClass is how fault classes begin that are of an asset class.
func shortClass(class string) string {
	switch class {
	case "elevator":
		return "lift."
	case "gate":
		return "barrier."
	default:
		return class + "."
	}
}

// why is what the first rule of the fault class says.
func why(b *configs.Bundle, class *rules.FaultClass) devices.Label {
	for _, r := range b.Rules.Rules {
		if r.FaultClass == class && r.Meaning.EN != "" {
			return r.Meaning
		}
	}
	return devices.Label{EN: class.Title + ".", ZH: class.TitleZH + "。"}
}

func notifyTestCommand() *cobra.Command {
	var channel string
	cmd := &cobra.Command{
		Use:   "test [PERSON]",
		Short: "Really send a test message, and say what became of it",
		Long: `Sends one message over each contact of a person, or over one channel to the first
address that a person has there, and says in words what the service answered. The
exit status is 0 when everything was taken.`,
		Example: "  facilityd notify test li.na\n  facilityd notify test --channel duty",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCrew(cmd, func(s *configs.Settings, _ []*configs.Bundle, crew *daemon.Crew) error {
				persons := crew.Roster.Persons
				switch {
				case len(args) == 0 && channel == "":
					return errors.New("whom? name a person, or a channel with --channel")
				case len(args) == 1:
					p := crew.Roster.Person(args[0])
					if p == nil {
						var ids []string
						for _, p := range persons {
							ids = append(ids, p.ID)
						}
						return fmt.Errorf("there is no person %q in %s (%s)", args[0], s.People, diag.DidYouMean(args[0], ids))
					}
					persons = []roster.Person{*p}
				}
				if channel != "" {
					if _, err := channelFlag(crew, channel); err != nil {
						return err
					}
				}
				return sendTests(cmd.Context(), cmd.OutOrStdout(), crew, persons, channel, len(args) == 0)
			})
		},
	}
	settingsFlags(cmd)
	cmd.Flags().StringVar(&channel, "channel", "", "only over this channel")
	return cmd
}

// sendTests sends a test message over the contacts of some persons, or over the
// first one only.
func sendTests(ctx context.Context, out io.Writer, crew *daemon.Crew, persons []roster.Person, channel string, first bool) error {
	sent, failed := 0, 0
	for _, p := range persons {
		for _, c := range p.Contacts {
			if channel != "" && c.Channel != channel || first && sent+failed > 0 {
				continue
			}
			where := p.Name + " over " + c.Channel
			if c.Address != "" {
				where += " to " + c.Address
			}
			if c.Channel == people.Board {
				fmt.Fprintf(out, "%s: nothing to send, messages are listed there\n", where)
				continue
			}
			now := time.Now()
			m := crew.Writer.Write(&notify.Facts{Kind: notify.Test, By: p.Name}, p.Lang, now.In(p.Location))
			m.Key = fmt.Sprintf("test-%s-%d", p.ID, now.UnixNano())
			_, err := crew.Channels.Send(ctx, c.Channel, c.Address, &m)
			fmt.Fprintf(out, "%s: %s\n", where, verdict(err))
			if err != nil {
				failed++
			} else {
				sent++
			}
		}
	}
	switch {
	case failed > 0:
		return exitError{}
	case sent == 0 && channel != "":
		return fmt.Errorf("nobody is reached over channel %s", channel)
	}
	return nil
}

// verdict says what became of a message.
func verdict(err error) string {
	var e *notify.Error
	switch {
	case err == nil:
		return "taken"
	case !errors.As(err, &e):
		return err.Error()
	case e.Temporary && e.RetryAfter > 0:
		return fmt.Sprintf("not now, the service wants to be left alone for %s: %s", e.RetryAfter, e.Reason)
	case e.Temporary:
		return "not this time, it would be tried again: " + e.Reason
	default:
		return "refused, the next contact would be tried: " + e.Reason
	}
}
