// Command google-emulators serves what Framepost needs of Google Cloud, on loopback and in memory: Cloud Storage
// (fake-gcs-server) with its notifications, and Pub/Sub (pstest, which speaks gRPC) with as much of its HTTP API as
// setting up, publishing and pulling take.
//
// It chooses its ports itself and prints where they are, as one line of JSON:
//
//	{"storage":"http://127.0.0.1:1","pubsub":"http://127.0.0.1:2","pubsubHttp":"http://127.0.0.1:3"}
//
// It ends when its standard input does, and so with the process that started it, however that ends.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"

	"cloud.google.com/go/pubsub/v2/pstest"
	"github.com/fsouza/fake-gcs-server/fakestorage"
)

type addresses struct {
	Storage    string `json:"storage"`
	Pubsub     string `json:"pubsub"`
	PubsubHTTP string `json:"pubsubHttp"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("google-emulators: ")
	served, err := serve()
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(served); err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func serve() (addresses, error) {
	faults := newFaults()
	pubsub := pstest.NewServerWithAddress("127.0.0.1:0", faults.reactors()...)
	// The storage emulator's own client looks here for where its notifications go.
	if err := os.Setenv("PUBSUB_EMULATOR_HOST", pubsub.Addr); err != nil {
		return addresses{}, err
	}
	emulator, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		NoListener: true,
		Writer:     failures{os.Stderr},
	})
	if err != nil {
		return addresses{}, err
	}
	storage, err := listen(storage(emulator.HTTPHandler()))
	if err != nil {
		return addresses{}, err
	}
	pubsubHTTP, err := listen(api(pubsub, faults))
	if err != nil {
		return addresses{}, err
	}
	return addresses{Storage: storage, Pubsub: "http://" + pubsub.Addr, PubsubHTTP: pubsubHTTP}, nil
}

func listen(handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { log.Fatal(http.Serve(listener, handler)) }()
	return "http://" + listener.Addr().String(), nil
}

// failures keeps the storage emulator's log to what went wrong: a notification that could not be published.
type failures struct{ to io.Writer }

func (f failures) Write(line []byte) (int, error) {
	if strings.HasPrefix(string(line), "error") {
		return f.to.Write(line)
	}
	return len(line), nil
}
