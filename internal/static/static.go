// Package static serves files that are part of the program: pages, styles and
// scripts, with entity tags, compression and security headers.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// Strict is a Content-Security-Policy that lets a page load and talk only to
// its own host, run no inline code and build no markup from text.
const Strict = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

// Options say how files are served.
type Options struct {
	Policy   string        // Content-Security-Policy of pages; "" sends none
	MaxAge   time.Duration // for how long a copy is used without asking; 0 asks always
	AnyPlace bool          // pages of other hosts may load the files
}

// Handler serves the files of fsys, index.html for a directory. It reads and
// compresses all of them now. The URL path is taken without a prefix: wrap it
// in http.StripPrefix. Only GET and HEAD are answered.
func Handler(fsys fs.FS, o Options) (http.Handler, error) {
	h := &handler{files: map[string]*file{}, options: o}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		f, err := load(fsys, name)
		h.files[name] = f
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("loading static files: %w", err)
	}
	return h, nil
}

type handler struct {
	files   map[string]*file
	options Options
}

type file struct {
	kind   string // Content-Type
	plain  []byte
	packed []byte // gzip; nil when that saves little
	tag    string
}

func load(fsys fs.FS, name string) (*file, error) {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	f := &file{kind: kindOf(name), plain: b, tag: base64.RawURLEncoding.EncodeToString(sum[:12])}
	if packed := pack(b); len(packed) < len(b)*9/10 {
		f.packed = packed
	}
	return f, nil
}

// kindOf does not ask the operating system, whose answers differ.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		return kind
	}
	return "application/octet-stream"
}

func pack(b []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is valid
	}
	_, _ = w.Write(b) // a bytes.Buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := h.find(r.URL.Path)
	switch {
	case f == nil:
		http.NotFound(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
	default:
		h.serve(w, r, f)
	}
}

func (h *handler) find(urlPath string) *file {
	name := strings.TrimPrefix(path.Clean("/"+urlPath), "/")
	if f := h.files[name]; f != nil {
		return f
	}
	return h.files[path.Join(name, "index.html")]
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request, f *file) {
	packed := f.packed != nil && acceptsGzip(r)
	body, tag := f.plain, `"`+f.tag+`"`
	if packed {
		body, tag = f.packed, `"`+f.tag+`-gz"`
	}
	h.head(w.Header(), f, tag)
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if packed {
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the client may be gone
	}
}

func (h *handler) head(head http.Header, f *file, tag string) {
	head.Set("Content-Type", f.kind)
	head.Set("ETag", tag)
	head.Set("Vary", "Accept-Encoding")
	head.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(h.options.MaxAge.Seconds())))
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	if h.options.AnyPlace {
		head.Set("Access-Control-Allow-Origin", "*")
		head.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	if h.options.Policy != "" && strings.HasPrefix(f.kind, "text/html") {
		head.Set("Content-Security-Policy", h.options.Policy)
	}
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding == "gzip" {
			return strings.ReplaceAll(weight, " ", "") != "q=0"
		}
	}
	return false
}
