package main

import (
	"encoding/json"
	"net/http"
)

// routes returns what the service answers.
func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", health)
	mux.HandleFunc("GET /live", health)
	mux.HandleFunc("GET /hello/{name}", hello)
	return mux
}

func health(w http.ResponseWriter, _ *http.Request) {
	write(w, map[string]string{"status": "ok"})
}

// hello greets: replace this with what the service is for.
func hello(w http.ResponseWriter, request *http.Request) {
	write(w, map[string]string{"hello": request.PathValue("name")})
}

func write(w http.ResponseWriter, content map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	// the client may be gone: nobody is left to tell
	_ = json.NewEncoder(w).Encode(content)
}
