package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/roster"
)

func rotaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rota",
		Short: "Who is on call, and when",
		Long: `Reads the people file that the settings name and answers from it, without a running
daemon. How to write one: configs/people/GUIDE.md.`,
	}
	cmd.AddCommand(rotaWhoCommand(), rotaShowCommand(), rotaExportCommand(), rotaImportCommand())
	return cmd
}

// withCrew reads settings, sites and people for one command.
func withCrew(cmd *cobra.Command, f func(s *configs.Settings, bundles []*configs.Bundle, crew *daemon.Crew) error) error {
	e, err := loadSettings(cmd)
	if err != nil {
		return err
	}
	// The sites alone: profiles and rules say nothing about people, and take a while.
	contents, list := configs.ReadContents(&e.Settings, daemon.Shipped())
	var bundles []*configs.Bundle
	for _, c := range contents {
		site, more := configs.ParseSite(c.Site.Name, c.Site.Data, c.Used...)
		list = append(list, more...)
		bundles = append(bundles, &configs.Bundle{Content: c, Site: site})
	}
	if list.HasErrors() {
		_ = list.Print(cmd.ErrOrStderr())
		return exitError{}
	}
	crew, list := daemon.OpenCrew(&e.Settings, bundles, time.Now())
	if list.HasErrors() {
		_ = list.Print(cmd.ErrOrStderr())
		return exitError{}
	}
	if crew == nil {
		return errors.New("the settings name no people file: add people: people.yaml; configs/people/GUIDE.md says what goes into it")
	}
	defer crew.Channels.Close()
	return f(&e.Settings, bundles, crew)
}

// rotaOf finds a rota by its name; the only one there is needs none.
func rotaOf(r *roster.Roster, args []string) (*roster.Rota, error) {
	var ids []string
	for _, t := range r.Rotas {
		ids = append(ids, t.ID)
	}
	switch {
	case len(r.Rotas) == 0:
		return nil, errors.New("the people file has no rotas")
	case len(args) == 0 && len(r.Rotas) == 1:
		return r.Rotas[0], nil
	case len(args) == 0:
		return nil, fmt.Errorf("which rota? one of: %s", strings.Join(ids, ", "))
	}
	if t := r.Rota(args[0]); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("there is no rota %q (%s)", args[0], diag.DidYouMean(args[0], ids))
}

// called is a person or team for people to read.
func called(r *roster.Roster, id string) string {
	if p := r.Person(id); p != nil && p.Name != id {
		return p.Name + " (" + id + ")"
	}
	if t := r.Team(id); t != nil && t.Name.EN != "" {
		return t.Name.EN + " (" + id + ")"
	}
	return id
}

func calledAll(r *roster.Roster, ids []string) string {
	if len(ids) == 0 {
		return "nobody"
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = called(r, id)
	}
	return strings.Join(names, ", ")
}

// clockFlag reads --at: a time of the site's clock, or one with a zone.
func clockFlag(text string, loc *time.Location) (time.Time, error) {
	if text == "" {
		return time.Now().In(loc), nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return t, nil
		}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%q is not a time; write \"2026-02-17 03:00\" in site time, or 2026-02-17T03:00:00+08:00", text)
	}
	return t.In(loc), nil
}

func rotaWhoCommand() *cobra.Command {
	var at, tier, fault, site string
	cmd := &cobra.Command{
		Use:   "who",
		Short: "Say who is on call, and whom an order would reach",
		Long: `Prints who is on call in every rota, until when, and who comes next. With --tier
and --fault it follows the escalation of such an order step by step.`,
		Example: `  facilityd rota who --config facilityd.yaml
  facilityd rota who --at "2026-02-17 03:00"
  facilityd rota who --tier P1 --fault lift.entrapment`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withCrew(cmd, func(_ *configs.Settings, bundles []*configs.Bundle, crew *daemon.Crew) error {
				in, err := siteFlag(bundles, site)
				if err != nil {
					return err
				}
				when, err := clockFlag(at, in.Site.Location)
				if err != nil {
					return err
				}
				out := cmd.OutOrStdout()
				fmt.Fprintf(out, "%s, %s\n", when.Format("Mon 2006-01-02 15:04"), in.Site.Location)
				if tier != "" || fault != "" {
					return printChain(out, crew.Roster, in, fault, tier, when)
				}
				w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ROTA\tON CALL\tUNTIL\tTHEN")
				for _, t := range crew.Roster.Rotas {
					local := when.In(t.Location)
					duties := t.Duties(local, local.AddDate(0, 0, 28))
					until, then := "", ""
					if len(duties) > 1 {
						until, then = duties[1].From.In(t.Location).Format("Mon 01-02 15:04"), calledAll(crew.Roster, duties[1].Who)
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.ID, calledAll(crew.Roster, duties[0].Who), until, then)
				}
				return w.Flush()
			})
		},
	}
	settingsFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&at, "at", "", `time to ask for, in site time: "2026-02-17 03:00" (default now)`)
	f.StringVar(&tier, "tier", "", "tier of an order whose escalation is followed: P1 to P4")
	f.StringVar(&fault, "fault", "", "its fault class, such as lift.entrapment")
	f.StringVar(&site, "site", "", "its site, where there are several")
	return cmd
}

// siteFlag finds the site that was named; the only one there is needs no name.
func siteFlag(bundles []*configs.Bundle, id string) (*configs.Bundle, error) {
	var ids []string
	for _, b := range bundles {
		if b.Site.ID == id {
			return b, nil
		}
		ids = append(ids, b.Site.ID)
	}
	if id == "" {
		return bundles[0], nil
	}
	return nil, fmt.Errorf("there is no site %q (%s)", id, diag.DidYouMean(id, ids))
}

// printChain follows the escalation of an order that nobody accepts.
func printChain(out io.Writer, r *roster.Roster, b *configs.Bundle, fault, tier string, at time.Time) error {
	if tier == "" {
		tier = "P1"
	}
	t, err := ticketing.ParseTier(tier)
	if err != nil {
		return err
	}
	if fault == "" {
		fault = rules.FaultClasses[0].ID
	}
	class, err := faultFlag(fault)
	if err != nil {
		return err
	}
	tmpl, err := daemon.Template(class.ID)
	if err != nil {
		return err
	}
	c := r.Chain(b.Site.ID, class.ID, tmpl.Skill, t)
	if c == nil {
		fmt.Fprintf(out, "%s %s: no chain takes it, nobody is told\n", t, class.Title)
		return nil
	}
	name := c.Name
	if name == "" {
		name = "without a name"
	}
	fmt.Fprintf(out, "%s %s goes by the chain %s (%s)\n", t, class.Title, name, c.Urgency)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, s := range c.Steps {
		at = at.Add(s.After)
		when := "at once"
		if i > 0 {
			when = at.Format("15:04") + ", " + short(s.After) + " later"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", when, strings.TrimSpace(s.Rota+" "+s.Team), calledAll(r, r.Reach(s, at)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if c.Repeat > 0 {
		fmt.Fprintf(out, "then again from the first, %d times, each %s later\n", c.Repeat, short(c.Again))
	}
	return nil
}

// short writes 5m rather than 5m0s.
func short(d time.Duration) string {
	s := configs.Duration(d).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

func faultFlag(id string) (*rules.FaultClass, error) {
	if c := rules.FaultClassByID(id); c != nil {
		return c, nil
	}
	var ids []string
	for _, c := range rules.FaultClasses {
		ids = append(ids, c.ID)
	}
	return nil, fmt.Errorf("there is no fault class %q (%s)", id, diag.DidYouMean(id, ids))
}

func rotaShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show [ROTA]",
		Short:   "Print the timetable of a rota",
		Long:    "Prints who is on call in a week, turns, overrides and holidays worked in.",
		Example: "  facilityd rota show duty\n  facilityd rota show duty --week 2026-02-16 --weeks 2",
	}
	return overWeeks(cmd, 1, func(crew *daemon.Crew, t *roster.Rota, from, to time.Time) error {
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, d := range t.Duties(from, to) {
			end := d.To.In(t.Location)
			fmt.Fprintf(w, "%s\t%s\t%s\n", d.From.In(t.Location).Format("Mon 2006-01-02 15:04"), end.Format("- Mon 15:04"), calledAll(crew.Roster, d.Who))
		}
		return w.Flush()
	})
}

// overWeeks makes a command that does something with a rota and the weeks that its
// flags name.
func overWeeks(cmd *cobra.Command, usually int, do func(crew *daemon.Crew, t *roster.Rota, from, to time.Time) error) *cobra.Command {
	var week string
	var weeks int
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withCrew(cmd, func(_ *configs.Settings, _ []*configs.Bundle, crew *daemon.Crew) error {
			t, err := rotaOf(crew.Roster, args)
			if err != nil {
				return err
			}
			from, to, err := span(week, weeks, t.Location)
			if err != nil {
				return err
			}
			return do(crew, t, from, to)
		})
	}
	settingsFlags(cmd)
	cmd.Flags().StringVar(&week, "week", "", "a day of the first week: 2026-02-16 (default today)")
	cmd.Flags().IntVar(&weeks, "weeks", usually, "how many weeks")
	return cmd
}

// span is so many weeks from the Monday before a day on.
func span(day string, weeks int, loc *time.Location) (from, to time.Time, err error) {
	if weeks < 1 || weeks > 105 {
		return from, to, fmt.Errorf("--weeks %d: between 1 and 105", weeks)
	}
	at, err := clockFlag(day, loc)
	if err != nil {
		return from, to, fmt.Errorf("--week: %w", err)
	}
	y, m, d := at.Date()
	monday := d - (int(at.Weekday())+6)%7
	return time.Date(y, m, monday, 0, 0, 0, 0, loc), time.Date(y, m, monday+7*weeks, 0, 0, 0, 0, loc), nil
}

func rotaExportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export [ROTA]",
		Short: "Write a rota as iCalendar, for calendar programs",
		Long: `Writes one event for each duty to standard output. An event has the same UID in
every export, so that a calendar program replaces what it has.`,
		Example: "  facilityd rota export duty --weeks 8 > duty.ics",
	}
	return overWeeks(cmd, 8, func(crew *daemon.Crew, t *roster.Rota, from, to time.Time) error {
		return t.WriteCalendar(cmd.OutOrStdout(), from, to, func(id string) string {
			if p := crew.Roster.Person(id); p != nil {
				return p.Name
			}
			return id
		})
	})
}

func rotaImportCommand() *cobra.Command {
	var rota string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Turn an iCalendar file into lines for the people file",
		Long: `Reads events and prints them as shifts (those that come again) and overrides (the
others) to put into the people file; nothing is changed. Whose an event is, is
told by what it was exported with, by the mail addresses of its attendees, or by a
title that holds a person's id or name. "-" reads standard input.`,
		Example: "  facilityd rota import duty.ics --rota duty",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCrew(cmd, func(_ *configs.Settings, _ []*configs.Bundle, crew *daemon.Crew) error {
				var names []string
				if rota != "" {
					names = []string{rota}
				}
				t, err := rotaOf(crew.Roster, names)
				if err != nil {
					return err
				}
				in := cmd.InOrStdin()
				if args[0] != "-" {
					f, err := os.Open(args[0])
					if err != nil {
						return err
					}
					defer f.Close()
					in = f
				}
				got, err := roster.ReadCalendar(in, t.Location, ownersOf(crew.Roster))
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				printImported(cmd.OutOrStdout(), got)
				for _, p := range got.Problems {
					fmt.Fprintln(cmd.ErrOrStderr(), "left out: event "+p)
				}
				return nil
			})
		},
	}
	settingsFlags(cmd)
	cmd.Flags().StringVar(&rota, "rota", "", "rota that it is for: it gives the time zone")
	return cmd
}

// ownersOf finds the persons and teams of an event.
func ownersOf(r *roster.Roster) func(exported, attendees []string, summary string) []string {
	return func(exported, attendees []string, summary string) []string {
		var out []string
		for _, id := range exported {
			if r.Person(id) != nil || r.Team(id) != nil {
				out = append(out, id)
			}
		}
		if len(exported) > 0 {
			return out
		}
		for _, p := range r.Persons {
			byMail := slices.ContainsFunc(p.Contacts, func(c roster.Contact) bool { return slices.Contains(attendees, strings.ToLower(c.Address)) })
			byTitle := slices.Contains(strings.FieldsFunc(summary, func(c rune) bool { return strings.ContainsRune(" ,:;/|、，：", c) }), p.ID) ||
				strings.Contains(summary, p.Name)
			if byMail || byTitle {
				out = append(out, p.ID)
			}
		}
		return out
	}
}

// printImported writes what goes below a rota of the people file.
func printImported(out io.Writer, got *roster.Imported) {
	clock := func(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }
	if len(got.Shifts) > 0 {
		fmt.Fprintln(out, "    shifts:")
	}
	for _, s := range got.Shifts {
		to := s.To
		if to > 24*60 {
			to -= 24 * 60
		}
		fmt.Fprintf(out, "      - {hours: %q, first: %04d-%02d-%02d, repeats: %q, order: [%s]", clock(s.From)+"-"+clock(to),
			s.First.Year, s.First.Month, s.First.Day, s.Rule, strings.Join(s.Order, ", "))
		for _, d := range []struct {
			key   string
			dates []string
		}{{"except", dateList(s.Except)}, {"also", dateList(s.Also)}} {
			if len(d.dates) > 0 {
				fmt.Fprintf(out, ", %s: [%s]", d.key, strings.Join(d.dates, ", "))
			}
		}
		fmt.Fprintln(out, "}")
	}
	if len(got.Overrides) > 0 {
		fmt.Fprintln(out, "    overrides:")
	}
	const layout = "2006-01-02 15:04"
	for _, o := range got.Overrides {
		fmt.Fprintf(out, "      - {from: %s, to: %s, persons: [%s]}\n", o.From.Format(layout), o.To.Format(layout), strings.Join(o.Persons, ", "))
	}
}

func dateList(dates []devices.Date) []string {
	var out []string
	for _, d := range dates {
		out = append(out, fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day))
	}
	return out
}
