package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func get(t *testing.T, path string) (int, string) {
	t.Helper()
	server := httptest.NewServer(routes())
	defer server.Close()
	answer, err := http.Get(server.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestAnswers(t *testing.T) {
	for path, body := range map[string]string{
		"/health":      "{\"status\":\"ok\"}\n",
		"/live":        "{\"status\":\"ok\"}\n",
		"/hello/world": "{\"hello\":\"world\"}\n",
	} {
		if code, got := get(t, path); code != http.StatusOK || got != body {
			t.Errorf("%s: %d %q", path, code, got)
		}
	}
}

func TestAPathThatIsNotThere(t *testing.T) {
	if code, _ := get(t, "/nothing"); code != http.StatusNotFound {
		t.Errorf("/nothing: %d", code)
	}
}

func TestPorts(t *testing.T) {
	if port, err := portFrom(""); port != defaultPort || err != nil {
		t.Errorf("no SUTRA_PORT: %d %v", port, err)
	}
	for _, text := range []string{"0", "65536", "http", "-1"} {
		if _, err := portFrom(text); err == nil {
			t.Errorf("SUTRA_PORT=%s is taken", text)
		}
	}
}
