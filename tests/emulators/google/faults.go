package main

import (
	"encoding/json"
	"net/http"
	"sync"

	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// faults are the answers that the next calls of a method get instead of their own.
type faults struct {
	mutex sync.Mutex
	next  map[string][]codes.Code
}

func newFaults() *faults {
	return &faults{next: map[string][]codes.Code{}}
}

// add takes {"method":"Publish","code":14,"times":3}: the method of the gRPC service, the code as a number. What was said
// of the method before and has not happened is forgotten.
func (f *faults) add(w http.ResponseWriter, r *http.Request) {
	var fault struct {
		Method string
		Code   codes.Code
		Times  int
	}
	if err := json.NewDecoder(r.Body).Decode(&fault); err != nil {
		fail(w, status.Error(codes.InvalidArgument, err.Error()))
		return
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.next[fault.Method] = nil
	for range fault.Times {
		f.next[fault.Method] = append(f.next[fault.Method], fault.Code)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (f *faults) reactors() []pstest.ServerReactorOption {
	var options []pstest.ServerReactorOption
	for _, method := range []string{"Publish", "Acknowledge", "ModifyAckDeadline"} {
		options = append(options, pstest.ServerReactorOption{FuncName: method, Reactor: fault{f, method}})
	}
	return options
}

type fault struct {
	faults *faults
	method string
}

func (f fault) React(any) (bool, any, error) {
	f.faults.mutex.Lock()
	defer f.faults.mutex.Unlock()
	next := f.faults.next[f.method]
	if len(next) == 0 {
		return false, nil, nil
	}
	f.faults.next[f.method] = next[1:]
	return true, nil, status.Error(next[0], "a fault on purpose")
}
