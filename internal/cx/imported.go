package cx

import (
	"strconv"
	"strings"
)

// Lines of an imported file are numbered by their message ids, "import:JOB:LINE",
// and sent in order. So a line that was taken before is known by the number of
// the last one, however long ago that was and however many there are.

const importPrefix = "import:"

// MaxJob is the longest name of an import job, in bytes.
const MaxJob = 64

// ImportMessage appends the message id of a line, counted from 1, of a job.
func ImportMessage(dst []byte, job string, line uint64) []byte {
	dst = append(append(append(dst, importPrefix...), job...), ':')
	return strconv.AppendUint(dst, line, 10)
}

// ImportLine returns which line of which import job the event is; ok is false
// for every other event. The job aliases the event.
func (e *Event) ImportLine() (job string, line uint64, ok bool) {
	if !e.Has(Historical) || !strings.HasPrefix(e.MessageID, importPrefix) {
		return "", 0, false
	}
	job, number, ok := strings.Cut(e.MessageID[len(importPrefix):], ":")
	if !ok || !IsJob(job) || number == "" || number[0] == '0' {
		return "", 0, false
	}
	line, err := strconv.ParseUint(number, 10, 64)
	return job, line, err == nil
}

// IsJob reports whether s can name an import job: 1 to MaxJob lower-case
// letters, digits and dashes.
func IsJob(s string) bool {
	if s == "" || len(s) > MaxJob {
		return false
	}
	for _, c := range []byte(s) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
