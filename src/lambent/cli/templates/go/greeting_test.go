package main

import (
	"context"
	"testing"
)

func TestGreet(t *testing.T) {
	response, err := Greet(context.Background(), Event{Name: "Ada"})
	if err != nil || response.Greeting != "Hello Ada" {
		t.Fatal(response, err)
	}
}
