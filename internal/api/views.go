package api

import (
	"encoding/json"

	"github.com/kikubari/kikubari/internal/cx"
)

// Time is an instant as RFC 3339 text in UTC with microseconds; "" when not
// known.
type Time string

// TimeOf writes i.
func TimeOf(i cx.Instant) Time { return Time(i.String()) }

// Raw is any JSON value, passed on as it is.
type Raw = json.RawMessage

// Identity is a name by which a customer is known.
type Identity struct {
	Namespace string `json:"namespace" enum:"user_id,claimed_user_id,line_user_id,mail,phone,anonymous_id"`
	Value     string `json:"value"`
}

// Visit is a customer's running or last session.
type Visit struct {
	Number  uint32 `json:"number" doc:"1 for the customer's first session"`
	Events  uint32 `json:"events"`
	Start   Time   `json:"start"`
	Running bool   `json:"running"`
}

// CustomerSummary is one line of the list of customers.
type CustomerSummary struct {
	ID         string     `json:"id"`
	LastSeen   Time       `json:"last_seen"`
	Identities []Identity `json:"identities"`
	Segments   []string   `json:"segments"`
	Session    Visit      `json:"session"`
	LastEvent  string     `json:"last_event,omitempty"`
}

// Customer is all that is known of one customer now.
type Customer struct {
	CustomerSummary
	CreatedAt  Time        `json:"created_at"`
	Traits     []Trait     `json:"traits"`
	Consent    []Grant     `json:"consent"`
	Statistics []Statistic `json:"statistics"`
	Ledger     []Attention `json:"ledger" doc:"What was said to this person, oldest first"`
}

// Trait is one fact kept about a customer.
type Trait struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
	At    Time   `json:"at"`
}

// Grant is one answer to one question of consent.
type Grant struct {
	Purpose string `json:"purpose"`
	Channel string `json:"channel,omitempty" doc:"Empty for every channel"`
	Allowed bool   `json:"allowed"`
	At      Time   `json:"at"`
}

// Statistic is one statistic, named the way a rule calls it, and its value now.
type Statistic struct {
	Statistic string `json:"statistic" example:"count(\"Product Viewed\", \"7d\")"`
	Value     any    `json:"value"`
	Unknown   bool   `json:"unknown,omitempty" doc:"It cannot be known, yet or for this customer"`
	Filling   *int   `json:"filling,omitempty" doc:"It is not known yet: it is being back-filled, so many per cent are done"`
	Since     Time   `json:"since,omitempty" doc:"It counts from then on only: what came before was not kept"`
}

// Attention is one line of the ledger of attention.
type Attention struct {
	Decision string `json:"decision"`
	Action   string `json:"action"`
	Place    string `json:"place"`
	State    string `json:"state" enum:"reserved,shown,clicked,dismissed,released,withdrawn"`
	At       Time   `json:"at"`
	ShownAt  Time   `json:"shown_at,omitempty"`
}

// StoryItem is one thing that happened to a customer. Which fields are set
// depends on the kind.
type StoryItem struct {
	Kind     string `json:"kind" enum:"event,decision,exposure,delivery,segment,merge,unmerge"`
	At       Time   `json:"at"`
	Position string `json:"position" doc:"Give the last one as before= to read on"`

	Name        string   `json:"name,omitempty" doc:"event: its name"`
	Type        string   `json:"type,omitempty" doc:"event: track, page …"`
	Session     uint32   `json:"session,omitempty" doc:"event: number of the session"`
	Late        bool     `json:"late,omitempty" doc:"event: came more than five minutes late"`
	Properties  Raw      `json:"properties,omitempty" doc:"event"`
	Decision    string   `json:"decision,omitempty" doc:"decision, exposure, delivery: the decision's id"`
	Winners     []Winner `json:"winners,omitempty" doc:"decision: what was said"`
	Action      string   `json:"action,omitempty" doc:"exposure, delivery"`
	Place       string   `json:"place,omitempty" doc:"exposure"`
	Fate        string   `json:"fate,omitempty" doc:"exposure: shown, clicked, dismissed …; delivery: sent, failed, unknown or withheld"`
	Delivery    string   `json:"delivery,omitempty" doc:"delivery: the key that every attempt carried"`
	Destination string   `json:"destination,omitempty" doc:"delivery: where it went"`
	Segment     string   `json:"segment,omitempty" doc:"segment: its name"`
	Entered     bool     `json:"entered,omitempty" doc:"segment: entered, otherwise left"`
	ByTime      bool     `json:"by_time,omitempty" doc:"segment: by time alone"`
	Other       string   `json:"other,omitempty" doc:"merge: the customer that was joined to this one; unmerge: who is not part of it any more"`
	Reason      string   `json:"reason,omitempty" doc:"merge: what linked them; delivery: why it was not sent"`
}

// Winner is an action that won a place.
type Winner struct {
	Action string `json:"action"`
	Place  string `json:"place"`
}

// Candidate is one action on offer and what became of it.
type Candidate struct {
	Action     string  `json:"action"`
	Gate       string  `json:"gate" doc:"What stopped it; passed when nothing did"`
	Number     float64 `json:"number" doc:"The number the gate saw"`
	Won        bool    `json:"won"`
	Propensity float64 `json:"propensity"`
	Context    float64 `json:"context"`
	Value      float64 `json:"value"`
	Lever      float64 `json:"lever"`
	Score      float64 `json:"score" doc:"propensity × context × value × lever"`
}

// Decision is the answer to "what now?" for one event, and why.
type Decision struct {
	Decision    string      `json:"decision"`
	Customer    string      `json:"customer"`
	Event       string      `json:"event"`
	At          Time        `json:"at"`
	Definitions uint64      `json:"definitions" doc:"Sequence number of the set that was in force"`
	Engine      string      `json:"engine" doc:"Version of the code that decided"`
	Winners     []Winner    `json:"winners"`
	Candidates  []Candidate `json:"candidates"`
	Filling     *int        `json:"filling,omitempty" doc:"Per cent, by now, of the statistics that were being back-filled and that a candidate was stopped for"`
	Counted     []Counted   `json:"counted,omitempty" doc:"What its rules looked at that does not count everything"`
	Explain     Raw         `json:"explain,omitempty" doc:"The same decision made again from what was stored"`
}

// Counted is a part of an action's rule that counts from some moment on only: what
// came before was not kept.
type Counted struct {
	Action string `json:"action"`
	What   string `json:"what" doc:"A statistic, or a segment that hangs on one" example:"sum(\"Order Completed\", \"total\", \"all\")"`
	Since  Time   `json:"since"`
}

// CandidateOf shows c.
func CandidateOf(c *cx.Candidate) Candidate {
	return Candidate{
		Action: c.Action, Gate: c.Gate.String(), Number: c.Number, Won: c.Won,
		Propensity: float64(c.Propensity), Context: c.Context, Value: c.Value, Lever: c.Lever, Score: c.Score,
	}
}

// Table is the answer to a query.
type Table struct {
	Columns   []Column `json:"columns"`
	Rows      [][]any  `json:"rows"`
	Truncated bool     `json:"truncated" doc:"There were more rows than are given"`
}

// Column is one column of a Table.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type" example:"VARCHAR"`
}

// File is one file of definitions.
type File struct {
	Name string `json:"name" maxLength:"200" example:"actions.yaml"`
	Text string `json:"text" maxLength:"1000000" doc:"YAML"`
}

// Published is one published set of definitions.
type Published struct {
	Workspace string   `json:"workspace"`
	Sequence  uint64   `json:"sequence" doc:"Number of the set; it only grows, over all workspaces"`
	Position  string   `json:"position" doc:"Where in the journal it comes into force"`
	At        Time     `json:"at"`
	Who       string   `json:"who" doc:"Id of the key"`
	Why       string   `json:"why,omitempty"`
	SameAs    uint64   `json:"same_as,omitempty" doc:"Answer to a rollback: number of the earlier set"`
	Summary   string   `json:"summary,omitempty" example:"+1 action, ~2 segments" doc:"In lists: what changed against the workspace's set before"`
	Warnings  []string `json:"warnings,omitempty"`
	Counts    Counts   `json:"counts"`
}

// Exported is one set as files that can be published again.
type Exported struct {
	Workspace string `json:"workspace"`
	Sequence  uint64 `json:"sequence"`
	Files     []File `json:"files" doc:"One document a file; comments are not kept"`
}

// Comparison says what differs between two sets.
type Comparison struct {
	Workspace string       `json:"workspace"`
	From      uint64       `json:"from" doc:"Number of the set before; 0 when nothing is published"`
	To        uint64       `json:"to,omitempty" doc:"Number of the set after; absent for files"`
	Equal     bool         `json:"equal"`
	Summary   string       `json:"summary" example:"+1 action, ~2 segments"`
	Documents []Difference `json:"documents" doc:"By kind and name"`
	Warnings  []string     `json:"warnings,omitempty" doc:"What is odd about the files but not wrong"`
}

// Difference is one document that is not the same in both sets.
type Difference struct {
	Kind   string        `json:"kind" enum:"workspace,segment,action,policy"`
	Name   string        `json:"name"`
	Change string        `json:"change" enum:"added,removed,changed"`
	Fields []FieldChange `json:"fields,omitempty" doc:"Of a changed document"`
}

// FieldChange is one field that is not the same.
type FieldChange struct {
	Path string `json:"path" example:"copy.en.text" doc:"Items of lists are counted from 1: trigger[2].when"`
	Old  Raw    `json:"old,omitempty" doc:"Absent when it was not set"`
	New  Raw    `json:"new,omitempty" doc:"Absent when it is not set"`
}

// Counts says how much is in a set.
type Counts struct {
	Segments     int `json:"segments"`
	Actions      int `json:"actions"`
	Policies     int `json:"policies"`
	Destinations int `json:"destinations"`
	Statistics   int `json:"statistics"`
}

// Import is how far the import of a file has come.
type Import struct {
	Job    string `json:"job"`
	Line   uint64 `json:"line" doc:"The last line that was taken; lines are sent in order, and one up to this is not taken again"`
	Stored bool   `json:"stored" doc:"The warehouse has every line up to this one"`
}

// Activity is one thing that just happened, for who watches live.
type Activity struct {
	Workspace string   `json:"workspace"`
	Position  string   `json:"position"`
	Customer  string   `json:"customer"`
	At        Time     `json:"at"`
	Name      string   `json:"name"`
	Session   uint32   `json:"session"`
	Decision  bool     `json:"decision" doc:"It was answered with a decision"`
	Entered   []string `json:"entered,omitempty" doc:"Segments entered by it"`
	Skipped   int      `json:"skipped,omitempty" doc:"Activities left out before this one, because there were too many to show"`
}

// LogStat is how much there is of the log.
type LogStat struct {
	Journal    JournalStat `json:"journal"`
	Archive    ArchiveStat `json:"archive"`
	Checkpoint string      `json:"checkpoint,omitempty" doc:"Position of the last checkpoint: what lies below may be archived"`
}

// JournalStat is what the journal holds.
type JournalStat struct {
	First   uint64 `json:"first" doc:"Sequence of its oldest record, 0 when there is none"`
	Last    uint64 `json:"last" doc:"Sequence of the newest durable record"`
	LogTime Time   `json:"log_time" doc:"Of the newest record"`
	Bytes   uint64 `json:"bytes"`
	Free    uint64 `json:"free_bytes" doc:"On its disk, beyond the reserve"`
	Waiting int    `json:"waiting" doc:"Entries that wait for a commit"`
}

// ArchiveStat is what the archive holds.
type ArchiveStat struct {
	First       uint64           `json:"first" doc:"Sequence of its oldest record, 0 when there is none"`
	Last        uint64           `json:"last" doc:"Sequence of its newest record"`
	Files       int              `json:"files"`
	Bytes       int64            `json:"bytes" doc:"Kept checkpoints included"`
	Checkpoints []KeptCheckpoint `json:"checkpoints" doc:"Oldest first"`
	Wrong       string           `json:"wrong,omitempty" doc:"Why it is not kept at the moment"`
}

// KeptCheckpoint is the state as of one day.
type KeptCheckpoint struct {
	Day      string `json:"day" format:"date"`
	Position string `json:"position"`
	Bytes    int64  `json:"bytes"`
}

// LogEntries are some entries of the log, in order.
type LogEntries struct {
	Entries []LogEntry `json:"entries"`
	Next    string     `json:"next" doc:"Give it as after= to read on"`
}

// LogEntry is one entry of the log. Which fields are set depends on the kind.
type LogEntry struct {
	Position    string `json:"position"`
	LogTime     Time   `json:"log_time"`
	Kind        string `json:"kind" enum:"event,tick,definitions,command,fate,erased,unknown"`
	Workspace   string `json:"workspace,omitempty"`
	Type        string `json:"type,omitempty" doc:"event: track, page …; command: merge, erase …; fate: sent, failed …"`
	Name        string `json:"name,omitempty" doc:"event: its name; fate: the action"`
	Time        Time   `json:"time,omitempty" doc:"event: when it happened"`
	UserID      string `json:"user_id,omitempty"`
	AnonymousID string `json:"anonymous_id,omitempty"`
	MessageID   string `json:"message_id,omitempty"`
	Key         string `json:"key,omitempty" doc:"Id of the key it came with"`
	Historical  bool   `json:"historical,omitempty" doc:"event: imported"`
	Customer    string `json:"customer,omitempty" doc:"fate: who it was decided for"`
	Why         string `json:"why,omitempty" doc:"definitions, command: as given; fate: why it was not sent"`
	Bytes       int    `json:"bytes" doc:"What it takes in the log, before it is compressed"`
	Properties  Raw    `json:"properties,omitempty" doc:"event, with full"`
	Context     Raw    `json:"context,omitempty" doc:"event, with full"`
	Consent     Raw    `json:"consent,omitempty" doc:"event, with full"`
}

// Condition is how the program is.
type Condition struct {
	Ready     bool     `json:"ready"`
	Reason    string   `json:"reason,omitempty" doc:"Why it is not ready, and what to do"`
	Warnings  []string `json:"warnings,omitempty" doc:"What is wrong although events may still be taken, and what to do"`
	Version   string   `json:"version"`
	StartedAt Time     `json:"started_at"`
	Position  string   `json:"position" doc:"Newest entry that is durable"`
	Customers int      `json:"customers" doc:"Known customers, over all workspaces"`
	Stages    []Stage  `json:"stages"`
}

// Stage is how far one stage is behind the journal.
type Stage struct {
	Stage    string  `json:"stage" example:"warehouse"`
	Position string  `json:"position" doc:"Done up to here"`
	Lag      float64 `json:"lag_seconds"`
	Stuck    bool    `json:"stuck,omitempty" doc:"So far behind that the program is not ready"`
}

// Send is one delivery to a destination and how far it has come.
type Send struct {
	Send        string `json:"send" doc:"The key that every attempt carries" example:"s_apswzx2vt4nf07btpx68psnx2p"`
	Workspace   string `json:"workspace"`
	Destination string `json:"destination"`
	Action      string `json:"action"`
	Purpose     string `json:"purpose"`
	Customer    string `json:"customer"`
	Decision    string `json:"decision"`
	DecidedAt   Time   `json:"decided_at"`
	State       string `json:"state" enum:"queued,trying,sent,failed,unknown,withheld"`
	Attempts    uint32 `json:"attempts"`
	DueAt       Time   `json:"due_at,omitempty" doc:"queued: when the next attempt may be made"`
	SettledAt   Time   `json:"settled_at,omitempty"`
	Reason      string `json:"reason,omitempty" doc:"Why the last attempt failed"`
}

// Destination is where actions send, and how it does.
type Destination struct {
	Name       string `json:"name"`
	URL        string `json:"url"`
	Idempotent bool   `json:"idempotent" doc:"It takes a delivery once, however often it comes with the same key"`
	Waiting    int    `json:"waiting"`
	Oldest     Time   `json:"oldest,omitempty" doc:"When the oldest that waits was decided"`
	Failed     int    `json:"failed" doc:"Of the last 30 days"`
	Unknown    int    `json:"unknown" doc:"Tried, and nobody knows whether they arrived; of the last 30 days"`
	Open       bool   `json:"open" doc:"It does not answer, and is tried now and then only"`
	TriedAt    Time   `json:"tried_at,omitempty" doc:"open: when it will be tried again"`
}
