package collect_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

func TestParseTime(t *testing.T) {
	for raw, want := range map[string]string{
		`"2026-11-22T07:59:39.285Z"`:        "2026-11-22T07:59:39.285000Z",
		`"2026-11-22T07:59:39Z"`:            "2026-11-22T07:59:39.000000Z",
		`"2026-11-22T07:59:39.1234567891Z"`: "2026-11-22T07:59:39.123456Z",
		`"2026-11-22T07:59:39,5Z"`:          "2026-11-22T07:59:39.500000Z",
		`"2026-11-22t07:59:39z"`:            "2026-11-22T07:59:39.000000Z",
		`"2026-11-22 07:59:39"`:             "2026-11-22T07:59:39.000000Z",
		`"2026-11-22T07:59"`:                "2026-11-22T07:59:00.000000Z",
		`"2026-11-22"`:                      "2026-11-22T00:00:00.000000Z",
		`"20261122T075939Z"`:                "2026-11-22T07:59:39.000000Z",
		`"2026-11-22T07:59:39+09:00"`:       "2026-11-21T22:59:39.000000Z",
		`"2026-11-22T07:59:39.285+0900"`:    "2026-11-21T22:59:39.285000Z",
		`"2026-11-22T07:59:39-03"`:          "2026-11-22T10:59:39.000000Z",
		`"2026-11-22T07:59:60Z"`:            "2026-11-22T08:00:00.000000Z",
		`"2024-02-29T00:00:00Z"`:            "2024-02-29T00:00:00.000000Z",
		`"1969-12-31T23:59:59.5Z"`:          "1969-12-31T23:59:59.500000Z",
		`"0001-01-01T00:00:00Z"`:            "0001-01-01T00:00:00.000000Z",
		`"9999-12-31T23:59:59.999999Z"`:     "9999-12-31T23:59:59.999999Z",
		`"2026-11-22T07:59:39\u002e285Z"`:   "2026-11-22T07:59:39.285000Z",
		`1795334379285`:                     "2026-11-22T07:59:39.285000Z",
		`1795334379285.25`:                  "2026-11-22T07:59:39.285250Z",
		`1795334379`:                        "2026-11-22T07:59:39.000000Z",
		`1.795334379285e12`:                 "2026-11-22T07:59:39.285000Z",
		`"1795334379285"`:                   "2026-11-22T07:59:39.285000Z",
		`"1795334379"`:                      "2026-11-22T07:59:39.000000Z",

		`"2023-02-29T00:00:00Z"`:      "",
		`"1900-02-29T00:00:00Z"`:      "",
		`"2026-13-01T00:00:00Z"`:      "",
		`"2026-00-01T00:00:00Z"`:      "",
		`"2026-11-31T00:00:00Z"`:      "",
		`"2026-11-22T24:00:00Z"`:      "",
		`"2026-11-22T07:60:00Z"`:      "",
		`"2026-11-22T07:59:61Z"`:      "",
		`"2026-11-22T07:59:39.Z"`:     "",
		`"2026-11-22T07:59:39+9:00"`:  "",
		`"2026-11-22T07:59:39+09:60"`: "",
		`"2026-11-22T07:59:39Zjunk"`:  "",
		`"2026-11-22T"`:               "",
		`"2026-11"`:                   "",
		`"2026"`:                      "",
		`"yesterday"`:                 "",
		`""`:                          "",
		`"0000-01-01T00:00:00Z"`:      "",
		`"1970-01-01T00:00:00Z"`:      "",
		`0`:                           "",
		`-1e30`:                       "",
		`1e30`:                        "",
		`true`:                        "",
		`{}`:                          "",
		``:                            "",
	} {
		got, ok := collect.ParseTime([]byte(raw))
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("ParseTime(%s) = %v, %v, want %q", raw, got, ok, want)
		}
	}
}

// Whatever the standard library writes is read as it was meant.
func TestParseTimeAgreesWithTheLibrary(t *testing.T) {
	layouts := []string{time.RFC3339, time.RFC3339Nano, "2006-01-02T15:04:05.000Z07:00", "20060102T150405Z0700", "2006-01-02 15:04:05.999999-07"}
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMicro(rapid.Int64Range(-62_135_596_800_000_000+86_400_000_000, 253_402_300_799_000_000-86_400_000_000).Draw(t, "at"))
		layout := rapid.SampledFrom(layouts).Draw(t, "layout")
		zone := 0
		if layout != layouts[4] {
			zone = rapid.IntRange(-14*60, 14*60).Draw(t, "minutes") * 60
		}
		text := at.In(time.FixedZone("", zone)).Format(layout)
		want, err := time.Parse(layout, text)
		if err != nil || want.UnixMicro() == 0 {
			t.Skip("the layout does not round-trip")
		}
		got, ok := collect.ParseTime([]byte(`"` + text + `"`))
		if !ok || got != cx.Instant(want.UnixMicro()) {
			t.Fatalf("ParseTime(%q) = %v, %v, want %v", text, got, ok, want)
		}
	})
}

func TestClocks(t *testing.T) { // received at 08:00
	for _, tt := range []struct {
		name, times string
		from        collect.Sender
		want        string
		altered     []collect.Reason
	}{
		{"right clock", `"timestamp":"2026-11-22T07:50:00Z","sentAt":"2026-11-22T08:00:00Z"`, browser, "2026-11-22T07:50:00Z", nil},
		{"an hour slow", `"timestamp":"2026-11-22T06:50:00Z","sentAt":"2026-11-22T07:00:00Z"`, browser, "2026-11-22T07:50:00Z", nil},
		{"ten years ahead", `"timestamp":"2036-11-22T07:50:00Z","sentAt":"2036-11-22T08:00:00Z"`, browser, "2026-11-22T07:50:00Z", nil},
		{"without sentAt", `"timestamp":"2026-11-22T07:50:00Z"`, browser, "2026-11-22T07:50:00Z", nil},
		{"without anything", `"event":"E"`, browser, "2026-11-22T08:00:00Z", nil},
		{"only sentAt", `"sentAt":"2026-11-22T07:00:00Z"`, browser, "2026-11-22T08:00:00Z", nil},
		{"original wins", `"originalTimestamp":"2026-11-22T07:40:00Z","timestamp":"2026-11-22T07:50:00Z"`, browser, "2026-11-22T07:40:00Z", nil},
		{"as numbers", `"timestamp":1795333800000,"sentAt":1795334400000`, browser, "2026-11-22T07:50:00Z", nil},
		{"sent before it happened", `"timestamp":"2026-11-22T07:50:10Z","sentAt":"2026-11-22T07:50:00Z"`, browser, "2026-11-22T08:00:00Z", nil},
		{"a little ahead", `"timestamp":"2026-11-22T08:00:02Z"`, browser, "2026-11-22T08:00:00Z", nil},
		{"far ahead", `"timestamp":"2030-01-01T00:00:00Z"`, browser, "2026-11-22T08:00:00Z", []collect.Reason{collect.TimeClamped}},
		{"seven days", `"timestamp":"2026-11-15T08:00:00Z"`, browser, "2026-11-15T08:00:00Z", nil},
		{"ancient", `"timestamp":"1999-01-01T00:00:00Z"`, browser, "2026-11-15T08:00:00Z", []collect.Reason{collect.TimeClamped}},
		{"ancient, by a server", `"timestamp":"1999-01-01T00:00:00Z"`, server, "2026-11-15T08:00:00Z", []collect.Reason{collect.TimeClamped}},
		{"ancient by its age", `"timestamp":"2026-11-01T08:00:00Z","sentAt":"2026-11-22T08:00:00Z"`, browser, "2026-11-15T08:00:00Z", []collect.Reason{collect.TimeClamped}},
		{"no time at all", `"timestamp":"soon"`, browser, "2026-11-22T08:00:00Z", []collect.Reason{collect.InvalidTime}},
		{"bad sentAt", `"timestamp":"2026-11-22T07:50:00Z","sentAt":{}`, browser, "2026-11-22T07:50:00Z", []collect.Reason{collect.InvalidTime}},
		{"history", `"timestamp":"1999-01-01T00:00:00Z","sentAt":"2026-11-22T07:00:00Z","context":{"historical":true}`, server, "1999-01-01T00:00:00Z", nil},
		{"history of the future", `"timestamp":"2030-01-01T00:00:00Z","historical":true`, server, "2026-11-22T08:00:00Z", []collect.Reason{collect.TimeClamped}},
		{"history by a browser", `"timestamp":"1999-01-01T00:00:00Z","historical":true`, browser, "2026-11-15T08:00:00Z", []collect.Reason{collect.NotHistorical, collect.TimeClamped}},
	} {
		e, altered := one(t, "/v1/page", `{"userId":"u",`+tt.times+`}`, tt.from)
		if e.Time != instant(tt.want) || e.ReceivedAt != now || !slices.Equal(altered, tt.altered) {
			t.Errorf("%s: %v altered %v, want %s %v", tt.name, e.Time, altered, tt.want, tt.altered)
		}
		if e.Has(cx.TimeSet) != (e.Original != 0) {
			t.Errorf("%s: TimeSet %v, original %v", tt.name, e.Has(cx.TimeSet), e.Original)
		}
		historical := tt.from.Kind == cx.ServerKey && len(tt.name) > 6 && tt.name[:7] == "history"
		if e.Has(cx.Historical) != historical {
			t.Errorf("%s: historical %v", tt.name, e.Has(cx.Historical))
		}
	}
}

// A batch's sentAt is for all its events, its "historical" too.
func TestClockOfABatch(t *testing.T) {
	got, err := parse(t, "/v1/import", `{"sentAt":"2026-11-22T07:00:00Z","batch":[
		{"type":"page","userId":"u","timestamp":"2026-11-22T06:50:00Z"},
		{"type":"page","userId":"u","timestamp":"2026-11-22T06:50:00Z","sentAt":"2026-11-22T06:55:00Z"}]}`, server)
	if err != nil || got.Events[0].Time != instant("2026-11-22T07:50:00Z") || got.Events[1].Time != instant("2026-11-22T07:55:00Z") {
		t.Errorf("%v %v %v", got.Events[0].Time, got.Events[1].Time, err)
	}
	got, err = parse(t, "/v1/import", `{"historical":true,"batch":[{"type":"page","userId":"u","timestamp":"2001-11-22T06:50:00Z"}]}`, server)
	if err != nil || got.Events[0].Time != instant("2001-11-22T06:50:00Z") || !got.Events[0].Has(cx.Historical) {
		t.Errorf("%+v %v", got.Events[0], err)
	}
}
