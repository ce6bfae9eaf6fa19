package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// api is the part of Pub/Sub's HTTP API (https://cloud.google.com/pubsub/docs/reference/rest) that sets up, publishes
// and pulls, and POST /faults and /advance, which are ours.
func api(server *pstest.Server, faults *faults) http.Handler {
	pubsub := &server.GServer
	mux := http.NewServeMux()
	mux.HandleFunc("POST /faults", faults.add)
	// {"seconds":60} lets Pub/Sub's time pass at once: leases end.
	var ahead atomic.Int64
	mux.HandleFunc("POST /advance", func(w http.ResponseWriter, r *http.Request) {
		var by struct{ Seconds int64 }
		if err := json.NewDecoder(r.Body).Decode(&by); err != nil {
			fail(w, status.Error(codes.InvalidArgument, err.Error()))
			return
		}
		ahead.Add(by.Seconds)
		server.SetTimeNowFunc(func() time.Time {
			return time.Now().Add(time.Duration(ahead.Load()) * time.Second)
		})
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("PUT /v1/projects/{project}/topics/{name}", func(w http.ResponseWriter, r *http.Request) {
		topic := &pb.Topic{}
		answer(w, r, topic, func(ctx context.Context) (proto.Message, error) {
			topic.Name = resource(r)
			return pubsub.CreateTopic(ctx, topic)
		})
	})
	mux.HandleFunc("PUT /v1/projects/{project}/subscriptions/{name}", func(w http.ResponseWriter, r *http.Request) {
		subscription := &pb.Subscription{}
		answer(w, r, subscription, func(ctx context.Context) (proto.Message, error) {
			subscription.Name = resource(r)
			return pubsub.CreateSubscription(ctx, subscription)
		})
	})
	mux.HandleFunc("POST /v1/projects/{project}/{kind}/{call}", func(w http.ResponseWriter, r *http.Request) {
		name, method, _ := strings.Cut(resource(r), ":")
		switch r.PathValue("kind") + ":" + method {
		case "topics:publish":
			request := &pb.PublishRequest{}
			answer(w, r, request, func(ctx context.Context) (proto.Message, error) {
				request.Topic = name
				return pubsub.Publish(ctx, request)
			})
		case "subscriptions:pull":
			request := &pb.PullRequest{}
			answer(w, r, request, func(ctx context.Context) (proto.Message, error) {
				request.Subscription = name
				return pubsub.Pull(ctx, request)
			})
		case "subscriptions:acknowledge":
			request := &pb.AcknowledgeRequest{}
			answer(w, r, request, func(ctx context.Context) (proto.Message, error) {
				request.Subscription = name
				return pubsub.Acknowledge(ctx, request)
			})
		case "subscriptions:modifyAckDeadline":
			request := &pb.ModifyAckDeadlineRequest{}
			answer(w, r, request, func(ctx context.Context) (proto.Message, error) {
				request.Subscription = name
				return pubsub.ModifyAckDeadline(ctx, request)
			})
		default:
			http.NotFound(w, r)
		}
	})
	return mux
}

// resource is the path's resource name, `projects/P/topics/T`, with its `:method`.
func resource(r *http.Request) string {
	return strings.TrimPrefix(r.URL.Path, "/v1/")
}

func answer(w http.ResponseWriter, r *http.Request, request proto.Message, call func(context.Context) (proto.Message, error)) {
	body, err := io.ReadAll(r.Body)
	if err == nil && len(body) > 0 {
		err = protojson.Unmarshal(body, request)
	}
	if err != nil {
		fail(w, status.Error(codes.InvalidArgument, err.Error()))
		return
	}
	response, err := call(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	text, err := protojson.Marshal(response)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("content-type", "application/json")
	_, _ = w.Write(text)
}

func fail(w http.ResponseWriter, err error) {
	code := map[codes.Code]int{
		codes.InvalidArgument:  http.StatusBadRequest,
		codes.NotFound:         http.StatusNotFound,
		codes.AlreadyExists:    http.StatusConflict,
		codes.PermissionDenied: http.StatusForbidden,
		codes.Unavailable:      http.StatusServiceUnavailable,
	}[status.Code(err)]
	if code == 0 {
		code = http.StatusInternalServerError
	}
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"error": map[string]any{"code": code, "message": err.Error(), "status": status.Code(err).String()},
	})
}
