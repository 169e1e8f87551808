package detect

// Aspect says in which way values are odd.
type Aspect uint8

// Aspects of a reason.
const (
	None    Aspect = iota
	Level          // away from where it usually is
	Rhythm         // away from where it usually is at this time of the day or week
	Spike          // one value far away
	Drift          // moved away slowly
	Flat           // moves less than usual, or not at all
	Spread         // moves more than usual
	Shape          // does not follow its usual course
	Step           // has stepped to another level
	Invalid        // not a number that can be judged
)

// String is the key under which a catalogue finds the aspect's text.
func (a Aspect) String() string {
	switch a {
	case None:
		return "none"
	case Level:
		return "level"
	case Rhythm:
		return "rhythm"
	case Spike:
		return "spike"
	case Drift:
		return "drift"
	case Flat:
		return "flat"
	case Spread:
		return "spread"
	case Shape:
		return "shape"
	case Step:
		return "step"
	case Invalid:
		return "invalid"
	default:
		return "unknown"
	}
}

// Reason is why a verdict is what it is. It is plain numbers, so that giving one costs
// nothing; [Reason.Text] makes a sentence of it when a person asks.
type Reason struct {
	Aspect  Aspect
	Current float64 // what was measured, smoothed as the aspect demands, in the point's unit
	Normal  float64 // what was to be expected, in the point's unit
	Margin  float64 // 95 % of history lay within Normal ± Margin
	Since   int64   // first odd row, ns since 1970; 0 = not odd

	// Of a joint detector: the channel that the numbers above are about, and bits (1<<index)
	// of the channels that carried the verdict and of those that were discounted because
	// they drift or lie by themselves.
	Channel    int
	Carried    uint64
	Discounted uint64
}

// Verdict is what a detector makes of one row.
type Verdict struct {
	// Score in [0,1] says how strongly this row asks for attention: 0.5 and above is an alarm.
	// A [Signal] scores an alarm once and is silent while it rests; a [Joint] scores every row.
	Score float64
	// Strength is what the score is made of, before alarms raise the bar for the next: 1 is
	// where an episode begins. A [Budget] works on it.
	Strength float64
	// Anomalous holds from the begin to the end of an episode.
	Anomalous bool
	// Onset is set on the row that raises an alarm.
	Onset bool
	// Known is false while too little was seen to judge; then nothing else is set.
	Known  bool
	Reason Reason
}
