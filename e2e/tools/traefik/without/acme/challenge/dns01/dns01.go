package dns01

import (
	"strings"
	"time"
)

type ChallengeOption struct{}

func AddRecursiveNameservers([]string) (none ChallengeOption)               { return }
func RecursiveNSsPropagationRequirement() (none ChallengeOption)            { return }
func DisableAuthoritativeNssPropagationRequirement() (none ChallengeOption) { return }
func PropagationWait(time.Duration, bool) (none ChallengeOption)            { return }

// UnFqdn takes the last dot away. This one is used.
func UnFqdn(name string) string { return strings.TrimSuffix(name, ".") }
