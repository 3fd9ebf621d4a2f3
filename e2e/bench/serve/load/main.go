// serve-load asks an inference server the same questions over and over and says how long the answers took.
//
// It reads one JSON object from stdin (see config) and writes three lines of JSON: one when the measured time begins and
// one when it ends, so that whoever started it can look at the server's CPU time then, and one with the result.
// Closed loop: each client has a connection of its own and asks again when it has its answer. Open loop (rate > 0):
// questions arrive as a Poisson process whether or not the server keeps up, and their time counts from the arrival.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"sync"
	"syscall"
	"time"
)

type config struct {
	Wire    string            `json:"wire"` // http or grpc
	Address string            `json:"address"`
	Path    string            `json:"path"` // of the HTTP request, or the full gRPC method
	Headers map[string]string `json:"headers"`
	Bodies  [][]byte          `json:"bodies"` // asked in turn
	Clients int               `json:"clients"`
	Warm    float64           `json:"warmSeconds"`
	Seconds float64           `json:"seconds"`
	Rate    float64           `json:"rate"` // of an open loop, per second; 0: closed loop
}

// answer is what one question came to.
type answer struct {
	status     string // "ok", or the status that the server gave
	retryAfter bool   // it says when to try again
}

// client holds one connection. An error means that the connection is lost.
type client interface {
	ask(body []byte) (answer, error)
	close()
}

type result struct {
	Seconds    float64          `json:"seconds"`
	Histogram  map[int]int      `json:"histogram"` // of answers that are ok, see bucketOf
	Statuses   map[string]int   `json:"statuses"`
	RetryAfter int              `json:"retryAfter"` // answers that are not ok but say when to try again
	Unsent     int              `json:"unsent"`     // open loop: every connection was busy
	CPUSeconds float64          `json:"cpuSeconds"` // of this program while it measured
	Errors     map[string]int64 `json:"errors,omitempty"`
}

type recorder struct {
	mutex  sync.Mutex
	begin  time.Time
	end    time.Time
	result result
}

func (r *recorder) note(asked, answered time.Time, a answer, err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if asked.Before(r.begin) || answered.After(r.end) {
		return
	}
	if err != nil {
		r.result.Statuses["lost"]++
		if len(r.result.Errors) < 5 || r.result.Errors[err.Error()] > 0 {
			r.result.Errors[err.Error()]++
		}
		return
	}
	r.result.Statuses[a.status]++
	if a.status == "ok" {
		r.result.Histogram[bucketOf(answered.Sub(asked))]++
	} else if a.retryAfter {
		r.result.RetryAfter++
	}
}

func main() {
	var c config
	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		fail(err)
	}
	if c.Wire == "http" {
		for i, body := range c.Bodies {
			c.Bodies[i] = httpRequest(c, body)
		}
	}
	clients := make([]client, c.Clients)
	for i := range clients {
		var err error
		if clients[i], err = open(c); err != nil {
			fail(err)
		}
	}
	begin := time.Now().Add(seconds(c.Warm))
	r := &recorder{begin: begin, end: begin.Add(seconds(c.Seconds)), result: result{
		Seconds: c.Seconds, Histogram: map[int]int{}, Statuses: map[string]int{}, Errors: map[string]int64{},
	}}
	arrivals := make(chan time.Time)
	var working sync.WaitGroup
	for i := range clients {
		working.Add(1)
		go func() {
			defer working.Done()
			work(c, clients[i], i, r, arrivals)
		}()
	}
	if c.Rate > 0 {
		go arrive(c.Rate, r, arrivals)
	}
	time.Sleep(time.Until(begin))
	before := cpuSeconds()
	print(map[string]string{"event": "measuring"})
	time.Sleep(time.Until(r.end))
	after := cpuSeconds()
	print(map[string]string{"event": "measured"})
	working.Wait()
	r.result.CPUSeconds = after - before
	print(r.result)
}

func work(c config, mine client, i int, r *recorder, arrivals <-chan time.Time) {
	defer func() { mine.close() }()
	// Each client begins with another body, so that not all of them send the same one at a time.
	for n := i; ; n++ {
		asked := time.Now()
		if c.Rate > 0 {
			var more bool
			if asked, more = <-arrivals; !more {
				return
			}
		}
		a, err := mine.ask(c.Bodies[n%len(c.Bodies)])
		answered := time.Now()
		r.note(asked, answered, a, err)
		if answered.After(r.end) {
			return
		}
		if err == nil {
			continue
		}
		mine.close()
		// A server that closes or refuses connections must not turn this into a busy loop.
		time.Sleep(10 * time.Millisecond)
		next, err := open(c)
		for err != nil && time.Now().Before(r.end) {
			time.Sleep(50 * time.Millisecond)
			next, err = open(c)
		}
		if err != nil {
			return
		}
		mine = next
	}
}

// arrive hands questions to whichever client is free; one that finds nobody is counted and not sent.
func arrive(rate float64, r *recorder, arrivals chan<- time.Time) {
	random := rand.New(rand.NewSource(1))
	next := time.Now()
	for {
		next = next.Add(seconds(random.ExpFloat64() / rate))
		if next.After(r.end) {
			close(arrivals)
			return
		}
		// The sleep's grain is about a millisecond: those that are due by then go out together, each with its own time.
		if ahead := time.Until(next); ahead > 200*time.Microsecond {
			time.Sleep(ahead)
		}
		select {
		case arrivals <- next:
		default:
			r.mutex.Lock()
			if !next.Before(r.begin) {
				r.result.Unsent++
			}
			r.mutex.Unlock()
		}
	}
}

func open(c config) (client, error) {
	switch c.Wire {
	case "http":
		return openHTTP(c)
	case "grpc":
		return openGRPC(c)
	}
	return nil, fmt.Errorf("unknown wire %q", c.Wire)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func print(value any) {
	if err := json.NewEncoder(os.Stdout).Encode(value); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "serve-load:", err)
	os.Exit(1)
}
