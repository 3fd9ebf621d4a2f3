package main

import (
	"fmt"
	"syscall"
)

// reservation keeps a port of 127.0.0.1 for a child for as long as the cluster lives. The socket is
// bound and never listens: with SO_REUSEADDR on both sides (Go's listeners set it) the child may bind
// beside it, nobody else is given the port, and while the child is down a connection is refused.
type reservation struct{ fd, port int }

// reserve takes the port that is asked for, or any for 0.
func reserve(port int) (*reservation, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("reserving a port: %w", err)
	}
	r := &reservation{fd: fd}
	if err := r.bind(port); err != nil {
		r.release()
		return nil, fmt.Errorf("reserving a port: %w", err)
	}
	return r, nil
}

func (r *reservation) bind(port int) error {
	// Bound first, made shareable after: so the kernel picks a port nobody else holds.
	if err := syscall.Bind(r.fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := syscall.SetsockoptInt(r.fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return err
	}
	name, err := syscall.Getsockname(r.fd)
	if err != nil {
		return err
	}
	r.port = name.(*syscall.SockaddrInet4).Port
	return nil
}

func (r *reservation) release() { _ = syscall.Close(r.fd) }
