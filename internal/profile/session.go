package profile

import "github.com/kikubari/kikubari/internal/cx"

// A session is a run of events with less than 30 minutes of silence between
// them, by event time. An event belongs to the running session when it is less
// than 30 minutes before its start or after its end, to the previous one when
// the same holds there, and otherwise to a new one if it may open one, or to
// none; one that may is not late and so never lies before the running session.
// Events that come out of order may move the start of a session back, but they
// never join two sessions into one.

// visit finds the session of the event, extends or opens it, and reports
// whether it was opened. Late, historical and inactive events open none;
// historical and inactive ones do not extend one either, nor do they move
// LastSeen.
func (f *Folder) visit(p *Plan, c *cx.Customer, e *occurrence) (started bool) {
	active := !e.Has(cx.Historical) && !e.Has(cx.Inactive)
	if active {
		c.LastSeen = max(c.LastSeen, e.at)
	}
	v := visitOf(c, e.at)
	if v == nil {
		if !active || e.late {
			return false
		}
		f.openVisit(p, c, e.at)
		e.session = e.at
		return true
	}
	if active {
		f.extend(p, c, v, e.at)
	}
	e.session = v.Start
	return false
}

// visitOf returns the session of c that an event at t belongs to, nil for none.
func visitOf(c *cx.Customer, t cx.Instant) *cx.Visit {
	for _, v := range [...]*cx.Visit{&c.Session, &c.Previous} {
		if v.Start != 0 && t > v.Start-cx.SessionGap && t < v.End+cx.SessionGap {
			return v
		}
	}
	return nil
}

func (f *Folder) openVisit(p *Plan, c *cx.Customer, t cx.Instant) {
	c.Previous = c.Session
	c.Session = cx.Visit{Start: t, End: t, Number: c.Session.Number + 1, Events: 1}
	f.change.Session = true
	f.touchSessions(p)
}

func (f *Folder) extend(p *Plan, c *cx.Customer, v *cx.Visit, t cx.Instant) {
	v.Events++
	v.End = max(v.End, t)
	if t >= v.Start {
		return
	}
	from, to := sessionKey(v.Start), sessionKey(t)
	v.Start = t
	if from != to {
		c.Stats = f.rekey(p, c.Stats, func(key int64) int64 {
			if key == from {
				return to
			}
			return key
		})
	}
}

// touchSessions marks the statistics that depend on which session runs.
func (f *Folder) touchSessions(p *Plan) {
	for _, k := range p.sessions {
		f.change.Touch(p.stats[k].slot)
	}
}

// rekey returns stats with the keys of all session payloads replaced.
func (f *Folder) rekey(p *Plan, stats []byte, to func(int64) int64) []byte {
	w := statsWriter{dst: make([]byte, 0, len(stats)+8)}
	for i := 0; i < len(stats); {
		x := entryAt(stats, i)
		k := p.find(x.slot)
		if k < 0 || p.stats[k].window != cx.Session && p.stats[k].window != cx.PreviousSession {
			w.dst = append(w.dst, stats[i:x.end]...)
		} else {
			start := len(w.dst)
			w.begin(x.slot)
			w.dst = p.stats[k].rekeyed(w.dst, stats[x.start:x.end], to)
			w.end(start)
		}
		i = x.end
	}
	return w.dst
}
