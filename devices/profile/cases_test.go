package profile_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
)

// TestCases runs the acceptance corpus with the shipped profiles.
func TestCases(t *testing.T) {
	set, list := profile.Load(shipped(t), profile.LoadOptions{})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/cases/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			c, err := profile.ParseCase(data)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range profile.RunCase(set, c).Differences {
				t.Error(d)
			}
		})
	}
}

func readCase(t testing.TB, name string) *profile.Case {
	t.Helper()
	data, err := os.ReadFile("testdata/cases/" + name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := profile.ParseCase(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hexMessage(t testing.TB, topic, payload, received string) devices.Message {
	t.Helper()
	b, err := hex.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339Nano, received)
	if err != nil {
		t.Fatal(err)
	}
	return devices.Message{Topic: topic, Payload: b, Received: at.UnixNano()}
}

// caseMessage is the message under test as the decoder gets it.
func caseMessage(t testing.TB, c *profile.Case) devices.Message {
	t.Helper()
	payload, err := c.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return devices.Message{Topic: c.Topic, Payload: payload, Retained: c.Retained, Received: t0.UnixNano()}
}
