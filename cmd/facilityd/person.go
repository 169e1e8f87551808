package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/facilityd/facilityd/cmd/facilityd/daemon"
	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/configs/messages"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/roster"
	"github.com/facilityd/facilityd/ticketing/store"
)

func personCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "person",
		Short: "Who may read the board and work on orders",
	}
	cmd.AddCommand(personAddCommand(), personListCommand(), personRevokeCommand())
	return cmd
}

func personAddCommand() *cobra.Command {
	var name, lang string
	cmd := &cobra.Command{
		Use:   "add ID",
		Short: "Make a person and print the token, this once",
		Long: `Makes a person with a token for board and API. The token is printed this once; the
database keeps only its hash. Adding a person again gives a new token and ends
the old one.`,
		Example: `  facilityd person add li.na --name "Li Na" --lang zh`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lang != "" && lang != messages.Languages[0] && lang != messages.Languages[1] {
				return fmt.Errorf("--lang %s: use one of %v", lang, messages.Languages)
			}
			return withOrders(cmd, func(s *store.Store) error {
				token, err := s.AddPerson(cmd.Context(), ticketing.Person{ID: args[0], Name: name, Lang: lang}, time.Now())
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), token)
				fmt.Fprintf(cmd.ErrOrStderr(), "This is the token of %s. It is shown this once: give it to the person, who signs in with it on the board.\n", args[0])
				return nil
			})
		},
	}
	settingsFlags(cmd)
	cmd.Flags().StringVar(&name, "name", "", "name for people to read (default the id)")
	cmd.Flags().StringVar(&lang, "lang", "", "language of the person: en or zh (default the browser's)")
	return cmd
}

func personListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the persons",
		Long: `Lists who has a token, and with a people file in the settings also over which
channels each is told of orders: who is told and has no token cannot accept, who
has a token and is not in the file is never told.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := loadSettings(cmd)
			if err != nil {
				return err
			}
			if e.People == "" {
				return withOrders(cmd, func(s *store.Store) error { return listPersons(cmd, s, nil) })
			}
			return withCrew(cmd, func(_ *configs.Settings, _ []*configs.Bundle, crew *daemon.Crew) error {
				return withOrders(cmd, func(s *store.Store) error { return listPersons(cmd, s, crew.Roster) })
			})
		},
	}
	settingsFlags(cmd)
	return cmd
}

// listPersons prints who has a token and, with a roster, who is told over what.
func listPersons(cmd *cobra.Command, s *store.Store, r *roster.Roster) error {
	list, err := s.Persons(cmd.Context())
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	told, head := func(string) string { return "" }, ""
	if r != nil {
		head = "\tTOLD OVER"
		told = func(id string) string {
			p := r.Person(id)
			if p == nil || len(p.Contacts) == 0 {
				return "\tnothing"
			}
			var names []string
			for _, c := range p.Contacts {
				names = append(names, c.Channel)
			}
			return "\t" + strings.Join(names, ", ")
		}
	}
	fmt.Fprintln(w, "ID\tNAME\tLANGUAGE\tSINCE\tTOKEN"+head)
	seen := map[string]bool{}
	for _, p := range list {
		seen[p.ID] = true
		state := "good"
		if !p.Revoked.IsZero() {
			state = "revoked " + p.Revoked.Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s%s\n", p.ID, p.Name, p.Lang, p.Created.Format(time.DateOnly), state, told(p.ID))
	}
	if r != nil {
		for _, p := range r.Persons {
			if !seen[p.ID] {
				fmt.Fprintf(w, "%s\t%s\t%s\t\tnone%s\n", p.ID, p.Name, p.Lang, told(p.ID))
			}
		}
	}
	return w.Flush()
}

func personRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "End a person's token; what the person did stays in the logs",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withOrders(cmd, func(s *store.Store) error {
				return s.RevokePerson(cmd.Context(), args[0], time.Now())
			})
		},
	}
	settingsFlags(cmd)
	return cmd
}

// withOrders opens the database of the settings for one command.
func withOrders(cmd *cobra.Command, f func(*store.Store) error) error {
	e, err := loadSettings(cmd)
	if err != nil {
		return err
	}
	s, err := daemon.OpenOrders(cmd.Context(), &e.Settings)
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.Close())
}
