// Command sample-service serves; `sample-service healthcheck` asks a running one, for Docker.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// defaultPort is where the service listens, unless SUTRA_PORT names another port.
const defaultPort = 8100

const (
	healthcheckTimeout = 2 * time.Second
	// what a client may take to send a request's head
	headTimeout = 10 * time.Second
	// what requests under way may take to end, below Docker's 10 seconds
	drainTimeout = 8 * time.Second
)

func main() {
	port, err := portFrom(os.Getenv("SUTRA_PORT"))
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\ntip: a number from 1 to 65535\n", err)
		os.Exit(2)
	}
	run := serve
	if len(os.Args) > 1 && os.Args[1] == "healthcheck" {
		run = ask
	}
	if err := run(port); err != nil {
		fmt.Fprintf(os.Stderr, "sample-service: %v\n", err)
		os.Exit(1)
	}
}

func portFrom(text string) (int, error) {
	if text == "" {
		return defaultPort, nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("SUTRA_PORT: not a port %q", text)
	}
	return int(port), nil
}

// serve answers until SIGTERM or SIGINT; requests under way are answered.
func serve(port int) error {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	server := &http.Server{
		Addr:              fmt.Sprintf(":%d", port),
		Handler:           routes(),
		ReadHeaderTimeout: headTimeout,
	}
	group, stopped := errgroup.WithContext(stop)
	group.Go(server.ListenAndServe)
	group.Go(func() error {
		<-stopped.Done()
		drain, end := context.WithTimeout(context.Background(), drainTimeout)
		defer end()
		return server.Shutdown(drain)
	})
	if err := group.Wait(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// ask returns an error unless a service on this port answers GET /live with 200.
func ask(port int) error {
	client := &http.Client{Timeout: healthcheckTimeout}
	answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/live", port))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("/live answers %s", answer.Status)
	}
	return nil
}
