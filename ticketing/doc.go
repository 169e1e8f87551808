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
// # Silence is not recovery
//
// Nothing that telemetry says closes an order: a cleared episode, or one whose
// data stopped, is an entry in the log. People report done; then a watch of the
// telemetry makes the order verified.
package ticketing
