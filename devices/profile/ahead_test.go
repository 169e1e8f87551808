package profile_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/devices/profile"
)

// TestMessagesOfOneRecordAreDecodedAsIfEachHadItsOwn: a record with many messages is
// looked through before the first is decoded, and what that first one changes counts
// for those after it: a topic that is new, a device that speaks twice, a message that
// no profile takes or that is no JSON.
func TestMessagesOfOneRecordAreDecodedAsIfEachHadItsOwn(t *testing.T) {
	set := shippedSet(t)
	var messages []devices.Message
	for round := range 4 {
		at := t0.Add(time.Duration(round) * time.Minute)
		say := func(topic, payload string) {
			messages = append(messages, devices.Message{Topic: topic, Payload: []byte(payload), Received: at.UnixNano()})
		}
		for k := range 40 {
			pump, stamp := fmt.Sprintf("facility/pump/p%d", k*(round+1)), at.Add(time.Duration(k)*time.Second).Format(time.RFC3339)
			say(pump+"/telemetry", fmt.Sprintf(`{"time":%q,"running":%v,"current":%d.5,"volume":%d}`, stamp, k%2 == 0, k, 10*round+k))
			say(pump+"/telemetry", fmt.Sprintf(`{"time":%q,"current":%d.5}`, stamp, k)) // part of it twice
			say(pump+"/availability", "online")
			say(fmt.Sprintf("nobody/knows/%d", k), `{"x":1}`)
			say(pump+"/telemetry", `{"current":`)
		}
	}
	decodeIn := func(size int) (lines []string, state []byte) {
		d := newDecoder(set)
		var out profile.Batch
		for from := 0; from < len(messages); from += size {
			out.Reset()
			d.Decode(&devices.Record{Kind: devices.Messages, Messages: messages[from:min(from+size, len(messages))]}, &out)
			for i := range out.Readings {
				lines = append(lines, line(&out.Readings[i]))
			}
		}
		return lines, d.AppendState(nil)
	}
	alone, state := decodeIn(1)
	if len(alone) < 500 {
		t.Fatalf("%d readings are too few to show it", len(alone))
	}
	for _, size := range []int{3, 7, 64, len(messages)} {
		lines, after := decodeIn(size)
		if fmt.Sprint(lines) != fmt.Sprint(alone) || !bytes.Equal(after, state) {
			t.Errorf("records of %d messages give %d readings, records of one %d, or another state", size, len(lines), len(alone))
		}
	}
}
