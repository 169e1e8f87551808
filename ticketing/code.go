package ticketing

// closingCodes say what was behind an order, as whoever did the job reports it,
// and whether the fault that the rule named was real. "Made safe" is a fault that a
// lasting repair is still due for; "no fault" is what the field calls no fault
// found. A reason for cancelling is a closing code too. (Own judgement.)
var closingCodes = []struct {
	code string
	done bool // reported with done; else a reason for cancelling
	real bool
	mute bool // says nothing about the rule
}{
	{code: "repaired", done: true, real: true},
	{code: "made_safe", done: true, real: true},
	{code: "external", done: true, real: true},
	{code: "no_fault", done: true},
	{code: "device_fault", done: true},
	{code: "known", real: true},
	{code: "false_alarm"},
	{code: ReasonNewNormal},
	{code: "duplicate", mute: true},
	{code: ReasonCommonCause, mute: true},
}

// DoneCodes are the closing codes of a job that is reported done.
func DoneCodes() (out []string) {
	for _, c := range closingCodes {
		if c.done {
			out = append(out, c.code)
		}
	}
	return out
}

// ClosingCode is what the order says was behind it: the code of the last report of
// done, or the reason of its cancelling; "" while or when nobody said.
func (o *Order) ClosingCode() string {
	if o.State == Cancelled {
		return o.Reason
	}
	return o.Code
}

// wasReal reports whether a closing code says that the fault was real; told is
// false when it says nothing.
func wasReal(code string) (is, told bool) {
	for _, c := range closingCodes {
		if c.code == code {
			return c.real, !c.mute
		}
	}
	return false, false
}
