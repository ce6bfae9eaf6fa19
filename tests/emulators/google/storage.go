package main

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
)

// storage serves the storage emulator, mended where it does otherwise than the service: the media type that an upload's
// metadata names is the object's, also where the part with the bytes names none.
func storage(emulator http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("uploadType") == "multipart" {
			if err := nameMediaType(r); err != nil {
				// Nothing whole arrived, so nothing is stored; whoever sent it sees the connection end.
				panic(http.ErrAbortHandler)
			}
		}
		emulator.ServeHTTP(w, r)
	})
}

func nameMediaType(r *http.Request) error {
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	var out bytes.Buffer
	writer := multipart.NewWriter(&out)
	if err := writer.SetBoundary(parameters["boundary"]); err != nil {
		return err
	}
	var metadata struct{ ContentType string }
	reader := multipart.NewReader(r.Body, parameters["boundary"])
	for number := 0; ; number++ {
		part, err := reader.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return err
		}
		header := textproto.MIMEHeader(part.Header)
		if number == 0 {
			if err := json.Unmarshal(content, &metadata); err != nil {
				return err
			}
		} else if metadata.ContentType != "" && strings.TrimSpace(header.Get("Content-Type")) == "" {
			header.Set("Content-Type", metadata.ContentType)
		}
		to, err := writer.CreatePart(header)
		if err != nil {
			return err
		}
		if _, err := to.Write(content); err != nil {
			return err
		}
	}
	if err := writer.Close(); err != nil {
		return err
	}
	r.Body = io.NopCloser(&out)
	r.ContentLength = int64(out.Len())
	r.TransferEncoding = nil
	return nil
}
