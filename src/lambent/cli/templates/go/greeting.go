package main

import "context"

// Event is what callers send.
type Event struct {
	Name string `json:"name"`
}

// Response is what callers get.
type Response struct {
	Greeting string `json:"greeting"`
}

// Greet greets whom the event names.
func Greet(_ context.Context, event Event) (Response, error) {
	name := event.Name
	if name == "" {
		name = "world"
	}
	return Response{Greeting: "Hello " + name}, nil
}
