package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type grpcClient struct {
	connection *grpc.ClientConn
	method     string
}

// raw hands finished messages through: encoding them is not what is measured.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = data
	return nil
}

func (raw) Name() string { return "proto" }

func openGRPC(c config) (client, error) {
	connection, err := grpc.NewClient("passthrough:///"+c.Address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return nil, err
	}
	return &grpcClient{connection, c.Path}, nil
}

func (g *grpcClient) ask(body []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerDeadline)
	defer cancel()
	var reply []byte
	var trailer metadata.MD
	err := g.connection.Invoke(ctx, g.method, &body, &reply, grpc.Trailer(&trailer))
	if err == nil {
		return answer{status: "ok"}, nil
	}
	return answer{status.Code(err).String(), len(trailer.Get("grpc-retry-pushback-ms")) > 0}, nil
}

func (g *grpcClient) close() { g.connection.Close() }
