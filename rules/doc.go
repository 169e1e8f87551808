// Package rules decides when something is wrong: rules over points become
// episodes of fault classes on assets.
//
// The [Engine] is a pure, deterministic state machine. It is fed the records of
// the journal in order together with the readings decoded from them, and
// returns the transitions of episodes that follow. It never reads a clock, a
// file or the network; the same journal gives the same episodes byte for byte,
// and an engine restored from a checkpoint goes on bit for bit.
//
// # Rules
//
// A rule is YAML ([Load]). It binds to the roles of an asset's points, so that it
// works for every maker's device:
//
//	rules:
//	  - id: bearing-hot
//	    title: {en: Bearing hot, zh: 轴承温度高}
//	    class: pump                      # or a list, or any
//	    fault_class: pump.bearing
//	    source: {text: GB 50275, mark: k}
//	    limits: {hot: 80 °C}
//	    only_while: {when: running, after: 60s}
//	    thresholds:
//	      - {severity: high, when: bearing_temp > limit.hot, for: 5m, clear: bearing_temp < 75 °C, clear_for: 5m}
//
// Conditions know roles, fact.NAME (what people have to give for an asset),
// limit.NAME, numbers with units, words of a role, comparisons, arithmetic, and,
// or, not, in, and the functions that [Functions] lists. A value is true, false or
// [Unknown]; missing, bad, retained and stale input is unknown, and unknown
// neither starts nor ends anything. An alternative whose roles have no point on the
// asset is left out of `or` where a rule starts, and of `and` where it ends.
//
// Limits are layered: the rule's own value, then the site's, then the asset's. A
// delay may be one too (for: limit.NAME). Evidence and explanations say which
// holds and who set it.
//
// Beside rules, a file may hold mutes: while an asset says so itself, what rules of
// some fault classes would open is held back, listed, and looked at again at the end
// ([Mute]).
//
//	mutes:
//	  - id: in-inspection
//	    title: {en: Lift in inspection, zh: 电梯检修}
//	    class: elevator
//	    fault_classes: [lift.door]
//	    while: service_mode == "inspection" and not held(service_mode == "inspection", 12h)
//	    source: {text: own judgement, mark: j}
//
// any, all, sum, median, min and max ask related assets: children, siblings (same
// class, parent and duty) and others (points of the same role). A rule that does is
// evaluated when a reading of theirs comes, and remembers each of them for itself;
// devices that no such rule looks at pay nothing.
//
// A rule makes one instance for each device of an asset, and for each point where
// a device has several of one role. Instances of one fault class on one asset are
// one episode with the highest severity that holds.
//
// # Time
//
// Everything is measured in the time of readings. What needs a clock (a delay
// that runs out, a value that goes stale) anticipates, on journal time, what the
// next reading would show when it was evaluated: it takes the same step at the
// same reading time. The clock of a device is the time of its newest reading and
// what has passed since on a clock that stands still while the daemon or the link
// is down and for a grace after ([Timing]). So a restart, a backlog and a device
// clock that is wrong change no episode. A sampled value is waited for one and a
// half intervals before the clock goes ahead; a state that is told on change is
// not. Where a device declares a lateness, its asset is evaluated so much later,
// in the order of reading times, and the order of arrival does not matter.
//
// # Common causes
//
// A rule that explains other fault classes takes them under its episode: on the
// same asset, on what it feeds, on what lies under it. When it is over, what was
// under it has a reprieve to be heard of and to clear, and stands on its own after
// that. An episode that opens for the fifth time in an hour without a cause of this
// kind flaps, and is held open until it is calm.
//
// # Speed
//
// With many devices memory is the limit. A reading that stays between the values
// that it is compared with touches one line of its point, and no instance; what the
// messages of a record need besides is fetched side by side.
package rules
