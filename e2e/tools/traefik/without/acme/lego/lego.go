package lego

import (
	"crypto/x509"
	"errors"
	"net/http"

	"github.com/go-acme/lego/v4/certcrypto"
	"github.com/go-acme/lego/v4/certificate"
	"github.com/go-acme/lego/v4/challenge"
	"github.com/go-acme/lego/v4/challenge/dns01"
	"github.com/go-acme/lego/v4/registration"
)

// LEDirectoryProduction is nowhere.
const LEDirectoryProduction = ""

type Config struct {
	CADirURL, UserAgent string
	HTTPClient          *http.Client
	Certificate         struct {
		KeyType           certcrypto.KeyType
		DisableCommonName bool
	}
}

func NewConfig(account any) *Config { return &Config{} }

type Client struct {
	Challenge    challenges
	Certificate  certificates
	Registration registrations
}

// NewClient always fails.
func NewClient(*Config) (*Client, error) { return nil, errors.ErrUnsupported }

func CreateCertPool([]string, bool) (*x509.CertPool, error) { return nil, errors.ErrUnsupported }

type (
	challenges    struct{}
	certificates  struct{}
	registrations struct{}
)

func (challenges) SetDNS01Provider(challenge.Provider, ...dns01.ChallengeOption) error {
	return errors.ErrUnsupported
}

func (challenges) SetHTTP01Provider(challenge.Provider, ...struct{}) error {
	return errors.ErrUnsupported
}

func (challenges) SetTLSALPN01Provider(challenge.Provider, ...struct{}) error {
	return errors.ErrUnsupported
}

func (certificates) Obtain(certificate.ObtainRequest) (*certificate.Resource, error) {
	return nil, errors.ErrUnsupported
}

func (certificates) RenewWithOptions(certificate.Resource, *certificate.RenewOptions) (*certificate.Resource, error) {
	return nil, errors.ErrUnsupported
}

func (registrations) Register(registration.RegisterOptions) (*registration.Resource, error) {
	return nil, errors.ErrUnsupported
}

func (registrations) RegisterWithExternalAccountBinding(registration.RegisterEABOptions) (*registration.Resource, error) {
	return nil, errors.ErrUnsupported
}
