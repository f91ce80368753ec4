// A WAGI module in Go: an ordinary handler of net/http, served through CGI by net/http/cgi. WAGI gives a program its
// request as CGI does, so nothing here knows of WebAssembly; GOOS=wasip1 GOARCH=wasm does the rest.
//
//	GET  /go/hello/Ada   greets whom the path names
//	POST /go/sha256      the body's SHA-256, as sha256sum prints it
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
)

func hello(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if name == "" {
		name = "world"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "Hello, %s!\n", name)
}

func digest(w http.ResponseWriter, r *http.Request) {
	hash := sha256.New()
	if _, err := io.Copy(hash, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "%x  -\n", hash.Sum(nil))
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /go/hello/", hello)
	mux.HandleFunc("GET /go/hello/{name}", hello)
	mux.HandleFunc("POST /go/sha256", digest)
	if err := cgi.Serve(mux); err != nil {
		log.Fatal(err)
	}
}
