// A service that receives Gemini's events from Sluice, and verifies them with the library of Standard Webhooks.
//
//	WEBHOOK_SECRET=whsec_… PORT=3000 go run .
//
// It answers 204 to an event, and 401 to what it cannot verify.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const maxBodyBytes = 1024 * 1024

func main() {
	webhook, err := standardwebhooks.NewWebhook(os.Getenv("WEBHOOK_SECRET"))
	if err != nil {
		log.Fatal("Set WEBHOOK_SECRET to the signing secret of your target (whsec_…): ", err)
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The raw bytes: a body that was decoded and encoded again has another signature.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		if err := webhook.Verify(body, r.Header); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var event struct {
			Type string `json:"type"`
		}
		// A body that is not JSON is verified all the same.
		_ = json.Unmarshal(body, &event)
		// An event can arrive more than once, with the same webhook-id each time.
		fmt.Println(r.Header.Get("webhook-id"), event.Type)
		w.WriteHeader(http.StatusNoContent)
	})))
}
