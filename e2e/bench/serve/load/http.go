package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// httpClient writes finished requests to one connection and reads the answers with the standard library's parser;
// its whole client would cost as much as a fast server.
type httpClient struct {
	connection net.Conn
	reader     *bufio.Reader
}

const answerDeadline = 60 * time.Second

func openHTTP(c config) (client, error) {
	connection, err := net.DialTimeout("tcp", c.Address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &httpClient{connection, bufio.NewReaderSize(connection, 32*1024)}, nil
}

func (h *httpClient) ask(request []byte) (answer, error) {
	if err := h.connection.SetDeadline(time.Now().Add(answerDeadline)); err != nil {
		return answer{}, err
	}
	if _, err := h.connection.Write(request); err != nil {
		return answer{}, err
	}
	response, err := http.ReadResponse(h.reader, nil)
	if err != nil {
		return answer{}, err
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return answer{}, err
	}
	if response.Close {
		return answer{}, fmt.Errorf("the server closes the connection (status %d)", response.StatusCode)
	}
	if response.StatusCode == http.StatusOK {
		return answer{status: "ok"}, nil
	}
	return answer{strconv.Itoa(response.StatusCode), response.Header.Get("Retry-After") != ""}, nil
}

// httpRequest gives head and body in one piece.
func httpRequest(c config, body []byte) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", c.Path, c.Address, len(body))
	for name, value := range c.Headers {
		fmt.Fprintf(&text, "%s: %s\r\n", name, value)
	}
	text.WriteString("\r\n")
	text.Write(body)
	return text.Bytes()
}

func (h *httpClient) close() { h.connection.Close() }
