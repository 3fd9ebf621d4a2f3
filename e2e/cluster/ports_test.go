package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
)

func TestReservation(t *testing.T) {
	r, err := reserve(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.release()
	addr := fmt.Sprintf("127.0.0.1:%d", r.port)

	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("before anyone listens: %v, want a refused connection", err)
	}
	// What a child does, and does again after a restart.
	for range 2 {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatalf("listening on a reserved port: %v", err)
		}
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		l.Close()
	}
}

func TestReservationsDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		r, err := reserve(0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.release()
		if seen[r.port] {
			t.Fatalf("port %d was given twice", r.port)
		}
		seen[r.port] = true
	}
}
