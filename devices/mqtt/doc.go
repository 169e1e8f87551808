// Package mqtt connects facilityd to its brokers: it receives messages and
// acknowledges them when, and in the order in which, somebody has made them
// durable; and it publishes.
//
// A [Connection] keeps one persistent session with one broker (fixed client id,
// clean session off). What it receives goes to the offer function of its
// [Config], which must not block; the acknowledgement waits for the committed
// call. It reconnects by itself, notices a link that is dead without saying so,
// and refuses messages above a size on the connection, before they are allocated.
//
// The MQTT protocol is paho.mqtt.golang's. Between it and the socket sits a
// wire, which buffers what is read, takes out oversize messages and writes
// acknowledgements many at a time.
//
// # What a broker must keep
//
// What arrives while facilityd is away is delivered when it is back as far as the
// broker keeps it. Mosquitto keeps 1,000 messages per client and forgets them when
// it restarts, unless it is told otherwise: [KeepsQueued] finds out and names the
// settings.
package mqtt
