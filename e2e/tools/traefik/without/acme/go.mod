// Certificates are asked of nobody here. The client of ACME, with the SDKs of a hundred DNS services, would be a third of
// what there is to compile: this has its names, and a client that cannot be made.
module github.com/go-acme/lego/v4

go 1.26.0
