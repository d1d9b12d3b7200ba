package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// maxObject: a Secret is at most 1 MiB, base64 and metadata come on top.
const maxObject = 4 << 20

// tokenLife is what client-go asks for, too.
const tokenLife = time.Hour

// apiServer is as much of an API server as the Outrider agent needs to come up: tokens of its accounts, its Secret, the cluster's uid and version.
type apiServer struct {
	lock    sync.Mutex
	secrets map[string]secret
	tokens  int
}

type secret struct {
	version int
	data    json.RawMessage
}

func addAPIServer(mux *http.ServeMux) {
	server := &apiServer{secrets: map[string]secret{}}
	uid := newUID()
	mux.HandleFunc("POST /api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", server.createToken)
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/secrets/{name}", server.readSecret)
	mux.HandleFunc("PUT /api/v1/namespaces/{namespace}/secrets/{name}", server.replaceSecret)
	mux.HandleFunc("GET /api/v1/namespaces/kube-system", func(w http.ResponseWriter, _ *http.Request) {
		metadata := map[string]any{"name": "kube-system", "uid": uid}
		answer(w, http.StatusOK, map[string]any{"kind": "Namespace", "apiVersion": "v1", "metadata": metadata})
	})
	version := func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"major": "1", "minor": "34", "gitVersion": "v1.34.2"})
	}
	mux.HandleFunc("GET /version", version)
	mux.HandleFunc("GET /version/{$}", version)
}

// newUID is a version 4 UUID (RFC 9562): each backend is another cluster to the plane.
func newUID() string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

func (s *apiServer) createToken(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	s.tokens++
	token := fmt.Sprintf("%s-token-%d", r.PathValue("name"), s.tokens)
	s.lock.Unlock()
	answer(w, http.StatusCreated, map[string]any{
		"kind":       "TokenRequest",
		"apiVersion": "authentication.k8s.io/v1",
		"metadata":   map[string]any{},
		"spec":       map[string]any{"audiences": []string{}, "expirationSeconds": tokenLife / time.Second},
		"status":     map[string]any{"token": token, "expirationTimestamp": time.Now().Add(tokenLife).UTC().Format(time.RFC3339)},
	})
}

func (s *apiServer) readSecret(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	defer s.lock.Unlock()
	sendSecret(w, r, s.read(secretKey(r)))
}

func (s *apiServer) replaceSecret(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxObject)).Decode(&wanted); err != nil {
		refuse(w, http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	current := s.read(secretKey(r))
	if version := wanted.Metadata.ResourceVersion; version != "" && version != strconv.Itoa(current.version) {
		refuse(w, http.StatusConflict, "Conflict", "the object has been modified")
		return
	}
	next := secret{version: current.version + 1, data: wanted.Data}
	s.secrets[secretKey(r)] = next
	sendSecret(w, r, next)
}

// read gives an empty Secret where there was none: the import manifest would have made it.
func (s *apiServer) read(key string) secret {
	if known, ok := s.secrets[key]; ok {
		return known
	}
	return secret{version: 1}
}

func secretKey(r *http.Request) string { return r.PathValue("namespace") + "/" + r.PathValue("name") }

func sendSecret(w http.ResponseWriter, r *http.Request, s secret) {
	object := map[string]any{
		"kind":       "Secret",
		"apiVersion": "v1",
		"metadata": map[string]any{
			"name":            r.PathValue("name"),
			"namespace":       r.PathValue("namespace"),
			"resourceVersion": strconv.Itoa(s.version),
		},
		"type": "Opaque",
	}
	if s.data != nil {
		object["data"] = s.data
	}
	answer(w, http.StatusOK, object)
}

func refuse(w http.ResponseWriter, code int, reason, message string) {
	answer(w, code, map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{},
		"status": "Failure", "reason": reason, "message": message, "code": code,
	})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}
