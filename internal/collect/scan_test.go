package collect

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzScan holds the scanner to the decoder of the JSON library: both take the
// same texts, and agree on which are UTF-8.
func FuzzScan(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-0.5e+3,"x\u00e9\n",true,false,null,{}],"":[]}`, ` [ ] `, `"\ud83d\ude00"`, `"\ud83d\u0041"`, `"\ude00"`, `"\uD83D`,
		"\"a string of more than eight bytes \xff\"", "\"日本語の文字列\"", "\"\x1f\"", "\"\x7f\"", `01`, `1.`, `1e`, `-`, `+1`, `.5`, `1E-2`, `tru`, `nullx`,
		`{"a":1,}`, `[1,]`, `[,]`, `{,}`, `{"a"}`, `{"a":}`, `{1:2}`, `[1 2]`, `{} {}`, "\v1", "", "\"1234567\\\"", `"12345678"`, `"1234567\u12`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		compareScan(t, text)
	})
}

func TestNesting(t *testing.T) {
	for _, n := range []int{maxNesting, maxNesting + 1} {
		compareScan(t, []byte(strings.Repeat("[", n)+strings.Repeat("]", n)))
		compareScan(t, []byte(strings.Repeat(`{"a":`, n)+"1"+strings.Repeat("}", n)))
	}
}

func compareScan(t *testing.T, text []byte) {
	t.Helper()
	s := scanner{text: text}
	end := s.value(s.space(0))
	taken := end != failed && s.space(end) == len(text)
	if want := jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); taken != want {
		t.Fatalf("%.100q is taken: %v, by the library: %v", text, taken, want)
	}
	if !taken {
		return
	}
	if s.depth != 0 {
		t.Fatalf("%.100q leaves %d open", text, s.depth)
	}
	if want := validText(text); s.sound(end) != want {
		t.Fatalf("%.100q is UTF-8: %v, by the library: %v", text, !want, want)
	}
}

// Every robot is suspect, however it is written, or it would never be looked at.
func TestSuspects(t *testing.T) {
	for _, part := range robots {
		for _, agent := range []string{part, strings.ToUpper(part), strings.ToUpper(part[:1]) + part[1:], "Mozilla/5.0 (compatible; " + part + ") Chrome/156"} {
			if !suspect(agent) || !Robot(agent) {
				t.Errorf("%q is not taken for a robot", agent)
			}
		}
	}
	for _, agent := range []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0",
		"Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0",
	} {
		if suspect(agent) {
			t.Errorf("%q is suspect: browsers are judged slowly", agent)
		}
	}
}
