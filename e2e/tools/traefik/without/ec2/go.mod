// Machines of a cloud are not looked for. The client of that service is the largest package of all, and takes gigabytes to
// compile: this has the names of the one call that there is, which fails.
module github.com/aws/aws-sdk-go-v2/service/ec2

go 1.26.0

require github.com/aws/aws-sdk-go-v2 v1.41.1
