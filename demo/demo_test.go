package demo

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// Every picture of the catalogue exists, and no page holds what a strict
// Content-Security-Policy would block.
func TestShopIsWhole(t *testing.T) {
	catalogue := read(t, "js/catalogue.js")
	ids := regexp.MustCompile(`id: '([a-z-]+)'`).FindAllStringSubmatch(catalogue, -1)
	if len(ids) < 6 {
		t.Fatalf("the catalogue has %d products, want at least 6", len(ids))
	}
	for _, id := range ids {
		read(t, "pictures/"+id[1]+".svg")
	}
	page := read(t, "index.html")
	if blocked := regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=|<script>`).FindString(page); blocked != "" {
		t.Errorf("index.html holds %q, which a strict policy blocks", blocked)
	}
	if !strings.Contains(page, `data-key="`+WriteKey+`"`) {
		t.Errorf("index.html does not carry the write key %q", WriteKey)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := fs.ReadFile(Shop(), name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
