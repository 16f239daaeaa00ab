// Serves the function: asks the Runtime API for events, and sends the responses.
//
// The library github.com/aws/aws-lambda-go does the same, and has types for the events of AWS.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		if err := serve(api); err != nil {
			log.Fatal(err)
		}
	}
}

// serve handles one event.
func serve(api string) error {
	next, err := http.Get(api + "next")
	if err != nil {
		return err
	}
	defer next.Body.Close()
	body, err := io.ReadAll(next.Body)
	if err != nil {
		return err
	}
	kind, payload := handle(body)
	url := api + next.Header.Get("Lambda-Runtime-Aws-Request-Id") + "/" + kind
	sent, err := http.Post(url, "application/json", bytes.NewReader(payload))
	if err != nil {
		return err
	}
	return sent.Body.Close()
}

// handle calls the function; it returns "response" or "error", and the document.
func handle(body []byte) (string, []byte) {
	var event Event
	err := json.Unmarshal(body, &event)
	var response Response
	if err == nil {
		response, err = Greet(context.Background(), event)
	}
	if err != nil {
		document, _ := json.Marshal(map[string]string{"errorMessage": err.Error(), "errorType": "Error"})
		return "error", document
	}
	document, _ := json.Marshal(response)
	return "response", document
}
