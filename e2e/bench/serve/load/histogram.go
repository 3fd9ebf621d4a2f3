package main

import (
	"math"
	"time"
)

// bucketOf gives the bucket of a duration: bucket i holds from 1.01^i to 1.01^(i+1) microseconds, so that a quantile
// read from the buckets is right to one per cent, and the histograms of several runs can be added up.
func bucketOf(d time.Duration) int {
	micros := float64(d.Nanoseconds()) / 1000
	if micros < 1 {
		return 0
	}
	return int(math.Log(micros) / math.Log(1.01))
}
