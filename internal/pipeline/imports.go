package pipeline

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// imports is how far each import job has come. The sequencer owns the running
// one; a copy is frozen at every tick and saved with the checkpoint.
type imports map[importJob]importMark

type importJob struct {
	workspace cx.Workspace
	job       string
}

// importMark is the last line that was taken, and where it stands in the journal.
type importMark struct {
	line uint64
	at   cx.Position
}

// takeLine notes a line of an import. It returns false for one that was taken
// before: lines come in order, so every line up to the last one was.
func (s *Shard) takeLine(w cx.Workspace, job string, line uint64, at cx.Position) bool {
	mark, known := s.imports[importJob{w, job}]
	if known && line <= mark.line {
		return false
	}
	if s.imports == nil {
		s.imports = imports{}
	}
	if !known {
		job = strings.Clone(job)
	}
	s.imports[importJob{w, job}] = importMark{line, at}
	s.importsMoved = true
	return true
}

// freezeImports makes known to all how far the imports have come.
func (s *Shard) freezeImports() {
	if !s.importsMoved {
		return
	}
	s.importsMoved = false
	next := *s.state
	next.imports = maps.Clone(s.imports)
	s.setState(&next)
}

// Imported returns the last line of an import job that was taken as of the last
// tick, 0 when there is none, and whether the warehouse has it.
func (s *Shard) Imported(w cx.Workspace, job string) (line uint64, stored bool) {
	mark := s.published.Load().imports[importJob{w, job}]
	return mark.line, s.warehouse.position() >= mark.at
}

// appendTo writes the marks in order of workspace and job.
func (m imports) appendTo(b []byte) []byte {
	jobs := slices.SortedFunc(maps.Keys(m), func(a, b importJob) int {
		return cmp.Or(cmp.Compare(a.workspace, b.workspace), cmp.Compare(a.job, b.job))
	})
	b = binary.AppendUvarint(b, uint64(len(jobs)))
	for _, j := range jobs {
		b = cx.AppendBytes(cx.AppendBytes(b, j.workspace), j.job)
		b = binary.AppendUvarint(binary.AppendUvarint(b, m[j].line), uint64(m[j].at))
	}
	return b
}

func readImports(r *reader) imports {
	m := imports{}
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		j := importJob{cx.Workspace(r.Text()), r.Text()}
		m[j] = importMark{r.Uvarint(), cx.Position(r.Uvarint())}
	}
	return m
}
