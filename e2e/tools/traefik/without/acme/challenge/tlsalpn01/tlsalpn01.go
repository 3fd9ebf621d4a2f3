package tlsalpn01

import (
	"errors"
	"time"
)

// ACMETLS1Protocol is what a certificate authority names in its handshake (RFC 8737).
const ACMETLS1Protocol = "acme-tls/1"

func SetDelay(time.Duration) (none struct{}) { return }

func ChallengeBlocks(domain, keyAuth string) (certificate, key []byte, err error) {
	return nil, nil, errors.ErrUnsupported
}
