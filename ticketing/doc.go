// Package ticketing turns episodes into work orders and follows each until the
// telemetry confirms the repair.
//
// An [Order] is a fold over its append-only log: [Fold] of the entries gives the
// order, nothing else does. What may happen when is one table, [Transitions],
// checked in one place ([Order.Apply]). Commands of people ([Command]) and steps
// of episodes ([rules.Transition]) are turned into entries by [Decide] and
// [Receive]; the store appends them. Time is always passed in.
//
// # Life cycle
//
//	open ──► dispatched ──► accepted ──► on_site ──► done ──► verified ──► closed
//	  │           │            │  ▲         │  ▲       │          │           │
//	  │           │            ▼  │         ▼  │       └──────────┴───────────┘
//	  │           │           waiting(reason)          refused, or the fault is back:
//	  └───────────┴──► cancelled(reason)               open again as a re-visit
//
// The full table is [Transitions]; lifecycle.md is drawn from it.
//
// # Common causes
//
// An episode that another one explains belongs to the order of its cause, as one of
// its consequences: it opens no order and wakes nobody, and the order is as urgent
// as the most urgent of them ([AddConsequence]). An order of its own that no person
// has touched gives way when a cause turns up later ([Order.GivesWay]); one that
// somebody has stays and is linked. When the cause is over, or was a false alarm,
// each that still holds stands for itself again. Nobody who may be inside an asset
// is ever a consequence.
//
// # Silence is not recovery
//
// Nothing that telemetry says closes an order: a cleared episode, or one whose
// data stopped, is an entry in the log. People report done; then a watch of the
// telemetry makes the order verified. It looks at what the fault's rule looks at, and
// pauses while nothing is known.
package ticketing
