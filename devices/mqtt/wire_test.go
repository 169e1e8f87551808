package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// A script is a connection whose reads come from a reader and whose writes are
// kept.
type script struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error) { return s.out.Write(p) }
func (s *script) Close() error                { return nil }

func packet(t testing.TB, p packets.ControlPacket) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func publishPacket(t testing.TB, topic string, qos byte, id uint16, size int) []byte {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Qos, p.MessageID, p.Payload = topic, qos, id, bytes.Repeat([]byte{'x'}, size)
	return packet(t, p)
}

func pubrel(t testing.TB, id uint16) []byte {
	p := packets.NewControlPacket(packets.Pubrel).(*packets.PubrelPacket)
	p.MessageID = id
	return packet(t, p)
}

const testLimit = 300

// stream returns what a broker sends, what of it must pass, and what must be
// answered.
func stream(t testing.TB) (in, pass, answers []byte, refused []string) {
	ping := packet(t, packets.NewControlPacket(packets.Pingresp))
	ack := packet(t, packets.NewControlPacket(packets.Connack))
	for _, p := range []struct {
		data   []byte
		refuse string // topic
		answer []byte
	}{
		{ack, "", nil},
		{publishPacket(t, "a/b", 1, 1, 10), "", nil},
		{publishPacket(t, "too/large", 1, 0x0203, 1000), "too/large", []byte{typePuback, 2, 2, 3}},
		{ping, "", nil},
		{publishPacket(t, "too/large/0", 0, 0, 700), "too/large/0", nil},
		{publishPacket(t, "a/b", 0, 0, testLimit-3-5), "", nil}, // exactly the limit
		{publishPacket(t, "a/b", 0, 0, testLimit-3-4), "a/b", nil},
		{publishPacket(t, "two", 2, 7, 5), "", nil},
		{publishPacket(t, "two/large", 2, 8, 500), "two/large", []byte{typePubrec, 2, 0, 8}},
		{pubrel(t, 7), "", nil},
		{pubrel(t, 8), "-", []byte{typePubcomp, 2, 0, 8}},
		{pubrel(t, 8), "", nil}, // the handshake is over: not ours any more
		{publishPacket(t, strings.Repeat("t", 400), 1, 9, 0), strings.Repeat("t", 400), []byte{typePuback, 2, 0, 9}},
		{publishPacket(t, "", 1, 10, 0), "", nil},
		{ping, "", nil},
	} {
		in = append(in, p.data...)
		answers = append(answers, p.answer...)
		switch p.refuse {
		case "":
			pass = append(pass, p.data...)
		case "-":
		default:
			refused = append(refused, p.refuse)
		}
	}
	return in, pass, answers, refused
}

func TestWireTakesOutOversizeMessages(t *testing.T) {
	in, pass, answers, refused := stream(t)
	check := func(t *testing.T, r io.Reader, read func(io.Reader) ([]byte, error)) {
		t.Helper()
		conn := &script{in: r}
		var got []string
		w := newWire(conn, testLimit, func(topic string, _ int) { got = append(got, topic) })
		out, err := read(w)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out, pass) {
			t.Fatalf("%d bytes passed, want %d", len(out), len(pass))
		}
		if !bytes.Equal(conn.out.Bytes(), answers) {
			t.Fatalf("answered % x, want % x", conn.out.Bytes(), answers)
		}
		if fmt.Sprint(got) != fmt.Sprint(refused) {
			t.Fatalf("refused %v", got)
		}
	}
	t.Run("whole", func(t *testing.T) { check(t, bytes.NewReader(in), io.ReadAll) })
	t.Run("byte by byte", func(t *testing.T) { check(t, iotest.OneByteReader(bytes.NewReader(in)), io.ReadAll) })
	t.Run("read byte by byte", func(t *testing.T) {
		check(t, bytes.NewReader(in), func(r io.Reader) ([]byte, error) { return io.ReadAll(iotest.OneByteReader(r)) })
	})
	for cut := range in { // every place at which the network can split the stream
		check(t, io.MultiReader(bytes.NewReader(in[:cut]), bytes.NewReader(in[cut:])), io.ReadAll)
	}
}

// FuzzWire: whatever a broker sends and however the network splits it, what
// passes is the stream without its oversize PUBLISH packets; nothing panics.
func FuzzWire(f *testing.F) {
	in, _, _, _ := stream(f)
	f.Add(in, uint16(1))
	f.Add(in, uint16(7))
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 1}, uint16(2))
	f.Add([]byte{0x32, 0x80, 0x80, 0x01, 0xff, 0xff}, uint16(3))
	f.Fuzz(func(t *testing.T, in []byte, step uint16) {
		pass, malformed := filtered(in)
		conn := &script{in: &stepReader{in, int(step%1000) + 1}}
		w := newWire(conn, testLimit, func(string, int) {})
		out, err := io.ReadAll(w)
		if malformed {
			if err == nil {
				t.Fatal("a malformed packet passed")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out, pass) {
			t.Fatalf("passed % x, want % x", out, pass)
		}
	})
}

// filtered is the plain way to do what the wire does, on a whole stream.
func filtered(in []byte) (pass []byte, malformed bool) {
	ours := make(map[[2]byte]bool)
	for len(in) > 0 {
		size, head, err := packetSize(in)
		if err != nil {
			return pass, true
		}
		if size == 0 {
			return pass, false // an incomplete header at the end does not pass
		}
		whole := in[:min(size, len(in))]
		if in[0]>>4 == typePublish && size > testLimit {
			if len(in) < head+2 {
				return pass, false
			}
			end := head + 2 + int(in[head])<<8 + int(in[head+1])
			qos := in[0] >> 1 & 3
			if qos > 0 {
				end += 2
			}
			if end > size {
				return pass, true
			}
			if len(in) < end {
				return pass, false
			}
			if qos > 1 {
				ours[[2]byte{in[end-2], in[end-1]}] = true
			}
		} else if in[0]&0xf0 == typePubrel && len(ours) > 0 && size == head+2 {
			if len(in) < head+2 {
				return pass, false
			}
			if id := [2]byte{in[head], in[head+1]}; ours[id] {
				delete(ours, id)
			} else {
				pass = append(pass, whole...)
			}
		} else {
			pass = append(pass, whole...)
		}
		in = in[len(whole):]
	}
	return pass, false
}

type stepReader struct {
	b    []byte
	step int
}

func (s *stepReader) Read(p []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.b[:min(s.step, len(s.b))])
	s.b = s.b[n:]
	return n, nil
}

func TestWireRefusesAMalformedLength(t *testing.T) {
	w := newWire(&script{in: bytes.NewReader([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x01})}, testLimit, func(string, int) {})
	if _, err := io.ReadAll(w); !errors.Is(err, errMalformed) {
		t.Errorf("error %v", err)
	}
}

// TestWireAllocatesNothing: on the way of a message there is no allocation, and an
// oversize message does not make the buffer grow.
func TestWireAllocatesNothing(t *testing.T) {
	one := publishPacket(t, "site/pump-1/telemetry", 1, 5, 160)
	conn := &script{in: &endless{b: one}}
	w := newWire(conn, testLimit, func(string, int) {})
	buf := make([]byte, len(one))
	read := func() {
		for _, n := range []int{1, 1, 1, len(one) - 3} { // as the library reads
			if _, err := io.ReadFull(w, buf[:n]); err != nil {
				t.Fatal(err)
			}
		}
	}
	read()
	if n := testing.AllocsPerRun(10_000, read); n > 0 {
		t.Errorf("%v allocations per message", n)
	}
	large := newWire(&script{in: bytes.NewReader(publishPacket(t, "large", 1, 5, 10<<20))}, testLimit, func(string, int) {})
	if out, err := io.ReadAll(large); len(out) > 0 && !bytes.Equal(bytes.ReplaceAll(out, []byte{typePingresp, 0}, nil), nil) || err != nil {
		t.Errorf("%d bytes passed, %v", len(out), err)
	}
	if len(large.buf) > 2*readBuffer {
		t.Errorf("the buffer grew to %d bytes", len(large.buf))
	}
}

// endless repeats its bytes.
type endless struct {
	b  []byte
	at int
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], e.b[e.at:])
		n += c
		e.at = (e.at + c) % len(e.b)
	}
	return n, nil
}

func BenchmarkWire(b *testing.B) {
	one := publishPacket(b, "site/pump-1/telemetry", 1, 5, 160)
	w := newWire(&script{in: &endless{b: one}}, 512<<10, func(string, int) {})
	buf := make([]byte, len(one))
	b.ReportAllocs()
	for b.Loop() {
		for _, n := range []int{1, 1, 1, len(one) - 3} {
			if _, err := io.ReadFull(w, buf[:n]); err != nil {
				b.Fatal(err)
			}
		}
	}
}
