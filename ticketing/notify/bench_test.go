package notify

import "testing"

func BenchmarkWrite(b *testing.B) {
	w := writer(b)
	f := trapped(b, New)
	for b.Loop() {
		w.Write(f, "zh", noon)
	}
}
