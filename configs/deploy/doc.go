// Package deploy holds what runs facilityd and watches it elsewhere: the systemd
// unit and the files for Prometheus. Its tests check them with the programs that
// will read them.
package deploy
