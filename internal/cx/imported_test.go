package cx

import "testing"

func TestImportLine(t *testing.T) {
	e := Event{Flags: Historical, MessageID: string(ImportMessage(nil, "orders-2024", 17))}
	if job, line, ok := e.ImportLine(); !ok || job != "orders-2024" || line != 17 {
		t.Errorf("%q is line %d of %q, %v", e.MessageID, line, job, ok)
	}
	e.Flags = 0
	if _, _, ok := e.ImportLine(); ok {
		t.Error("a live event is taken for a line of an import")
	}
	e.Flags = Historical
	for _, id := range []string{"", "import:", "import:a", "import:a:", "import::1", "import:A:1", "import:a:0", "import:a:01", "import:a:-1", "import:a:1:2", "import:a:99999999999999999999", "Import:a:1"} {
		e.MessageID = id
		if _, _, ok := e.ImportLine(); ok {
			t.Errorf("%q is taken for a line of an import", id)
		}
	}
}
