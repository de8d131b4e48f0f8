package profile

import "github.com/kikubari/kikubari/internal/cx"

// Resolver finds out whose event it is: it keeps which customer every identity
// belongs to, creates and links customers and merges those that turn out to be
// one person. It is sequential: it sees events in the order of the log, and
// must not be used by two goroutines at once. The zero Resolver knows nobody.
//
// The rules, strongest identity first (user id, claimed user id, LINE user id,
// mail, phone, anonymous id):
//
//   - An event belongs to the customer of its strongest identity; if that is
//     new, to the customer of the next one that may take it.
//   - Its weaker identities link to that customer when they are new. When one
//     belongs to a customer without any user id, the two merge.
//   - Two customers who both have a user id never merge, except by the alias
//     call of a server; the weaker identity stays with its first owner.
//   - A claimed id, which a browser said unsigned, never reaches a customer
//     that the company vouches for, nor what is known of one. If the browser's
//     anonymous id already belongs to the customer with that very user id, it
//     is simply that customer.
//   - When the company vouches for a user on a device that belongs to a claimed
//     customer, the device moves to the user. The claimed customer's history
//     comes with it only when it claimed to be that user from that one device.
//   - A value that was seen on too many users finds and links nobody: see
//     Sighting.
//   - Customers who are kept apart share nothing: an event that names both
//     belongs to the one of its strongest identity and links nothing across.
type Resolver struct {
	index    index
	standing map[cx.CustomerID]standing
	nameless nameless
	merged   map[cx.CustomerID]cx.CustomerID // loser to winner
	settings map[cx.Workspace]Settings
	loaded   []loadedName // not yet counted
	scratch  []name
	parted   parted

	sightings map[cx.HashKey]*Sighting
	sighted   []cx.HashKey // those that changed
	shut      int          // how many are in quarantine
	shutEver  int          // how many came into it

	// Set where not everybody is known.
	heeds     func(cx.HashKey) bool              // which identities count
	elsewhere func(user, device cx.HashKey) bool // an id is a user's elsewhere, and no device's

	rows  []IdentityRow
	pairs [][2]cx.CustomerID
}

// Resolution is whose event it is and what had to be done to know. The caller
// owns its slices. They are in the order in which they have to be done: Merges,
// then Moves, then Isolated, then Links, which are all for Customer.
type Resolution struct {
	Customer cx.CustomerID // 0: the event has no identity that stands for somebody
	New      bool          // the customer was created by this event
	Merges   []Merge
	Moves    []Move
	Isolated []Isolated
	Links    []cx.Identity // new to Customer, moved ones included
}

// Merge says that two customers are one: Winner, which takes all that Loser has.
type Merge struct {
	Winner, Loser cx.CustomerID
	Reason        string           // namespace that linked them and call: "anonymous_id identify"; ByOperator
	Identity      cx.Identity      // that belonged to one and came with the other; aliases the event
	Lead          cx.Identity      // the event's strongest identity; aliases the event
	Named         [2]cx.CustomerID // whom the operator named
}

// ByOperator is the reason of merges that an operator asked for.
const ByOperator = "operator"

// Move says that an identity now belongs to the event's customer and no longer
// to From, which keeps everything else.
type Move struct {
	Identity cx.Identity
	From     cx.CustomerID
}

// Isolated says that an identity came into quarantine: Customer, which begins to
// be, has it and nothing else.
type Isolated struct {
	Identity cx.Identity
	Customer cx.CustomerID
}

// IdentityRow links an identity to a customer. A row with the same workspace,
// namespace and value replaces the earlier one. The customer may have been
// merged into another since.
type IdentityRow struct {
	Workspace cx.Workspace
	Identity  cx.Identity
	Customer  cx.CustomerID
}

// Configure sets what workspace w decides about identities, from the next event
// on.
func (r *Resolver) Configure(w cx.Workspace, s Settings) {
	if r.settings == nil {
		r.settings = make(map[cx.Workspace]Settings)
	}
	r.settings[w] = s
}

// Resolve finds the customer of ev, the entry at position at, at log time now,
// and remembers what that changed.
func (r *Resolver) Resolve(ev *cx.Event, at cx.Position, now cx.Instant) Resolution {
	return r.resolve(ev, r.names(ev), at, now)
}

func (r *Resolver) resolve(ev *cx.Event, names []name, at cx.Position, now cx.Instant) Resolution {
	r.settle()
	if r.shut > 0 {
		names = r.shutOut(names)
	}
	if len(names) == 0 || names[0].alias {
		return Resolution{}
	}
	if id := r.claimOfOwn(ev.Workspace, names); id != 0 {
		return Resolution{Customer: id}
	}
	s := resolving{r: r, ev: ev, names: names, now: now}
	s.choose(at)
	for i := range names {
		s.join(&names[i], at)
	}
	return s.out
}

// Lookup returns the customer that an identity of workspace w belongs to now, 0
// for none.
func (r *Resolver) Lookup(w cx.Workspace, id cx.Identity) cx.CustomerID {
	return r.owner(id.Hash(w))
}

// Current returns the customer that id has become by merges, id itself when
// there was none.
func (r *Resolver) Current(id cx.CustomerID) cx.CustomerID {
	root := id
	for {
		next, ok := r.merged[root]
		if !ok {
			break
		}
		root = next
	}
	for id != root {
		next := r.merged[id]
		r.merged[id] = root
		id = next
	}
	return root
}

// Join makes two customers one because an operator says so, also those who were
// kept apart; ok is false when they are one already.
func (r *Resolver) Join(a, b cx.CustomerID) (m Merge, ok bool) {
	r.settle()
	named := [2]cx.CustomerID{a, b}
	a, b = r.Current(a), r.Current(b)
	if a == b {
		return Merge{}, false
	}
	r.lift(a, b)
	m = r.unite(a, b, ByOperator)
	m.Named = named
	return m, true
}

// Changes returns the rows and the merges (loser, winner) since the last call,
// in the order in which they came about, and forgets them.
func (r *Resolver) Changes() (rows []IdentityRow, merged [][2]cx.CustomerID) {
	rows, merged = r.rows, r.pairs
	r.rows, r.pairs = nil, nil
	return rows, merged
}

// Identities returns how many identities are known.
func (r *Resolver) Identities() int { return r.index.n }

func (r *Resolver) owner(key cx.HashKey) cx.CustomerID {
	id := r.index.find(key)
	if id == 0 || len(r.merged) == 0 {
		return id
	}
	return r.Current(id)
}

// claimOfOwn returns the customer of an event whose unsigned claim is the user
// id that the company gave to the owner of its device, 0 when it is not so.
func (r *Resolver) claimOfOwn(w cx.Workspace, names []name) cx.CustomerID {
	if names[0].Namespace != cx.ClaimedUserID {
		return 0
	}
	user := r.Lookup(w, cx.Identity{Namespace: cx.UserID, Value: names[0].Value})
	if user == 0 {
		return 0
	}
	for i := range names {
		if names[i].Namespace == cx.AnonymousID && !names[i].alias && r.owner(names[i].key) == user {
			return user
		}
	}
	return 0
}
