// The supervisor of a test cluster. Standard library only: it builds in seconds and pins nothing.
module foresail.io/e2e/cluster

go 1.26.0
