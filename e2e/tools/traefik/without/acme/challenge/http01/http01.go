package http01

import "time"

func SetDelay(time.Duration) (none struct{}) { return }

// ChallengePath is where a certificate authority looks for a token. Requests are compared with it.
func ChallengePath(token string) string { return "/.well-known/acme-challenge/" + token }
