// The service of ledger.py in Go: mark and effect are made by goroutines of their own.
package main

import (
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"runtime"

	amqp "github.com/rabbitmq/amqp091-go"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// elsewhere does something in a goroutine that keeps a thread of its own, and waits for it.
func elsewhere(do func() error) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- do()
	}()
	must(<-done)
}

func main() {
	careful := os.Getenv("CAREFUL") == "yes"
	connection, err := amqp.Dial(os.Getenv("AMQP_URL"))
	must(err)
	channel, err := connection.Channel()
	must(err)
	_, err = channel.QueueDeclare("in", true, false, false, false, nil)
	must(err)
	must(channel.Qos(1, 0, false))
	deliveries, err := channel.Consume("in", "", false, false, false, false, nil)
	must(err)
	for delivery := range deliveries {
		var message struct{ ID string }
		must(json.Unmarshal(delivery.Body, &message))
		file := func(kind string) string { return filepath.Join(os.Getenv("DATA_DIR"), message.ID+"."+kind) }
		_, err := os.Stat(file("mark"))
		if careful || err != nil {
			if !careful {
				elsewhere(func() error { return os.WriteFile(file("mark"), []byte("seen"), 0o600) })
			}
			elsewhere(func() error {
				must(os.WriteFile(file("draft"), []byte("kept"), 0o600))
				return os.Rename(file("draft"), file("kept"))
			})
		}
		must(delivery.Ack(false))
	}
}
