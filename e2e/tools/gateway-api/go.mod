// The CRDs of the Gateway API, for the tests of HTTPRoutes: files of the module, nothing of it is built.
module foresail.io/e2e/tools/gateway-api

go 1.26

require sigs.k8s.io/gateway-api v1.6.3
