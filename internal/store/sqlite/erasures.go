package sqlite

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// Erasure is one person who is or was erased. Nothing in it tells who it was.
type Erasure struct {
	ID        string
	Workspace cx.Workspace
	Customers []cx.CustomerID // the one it was at last first
	Who       cx.KeyID
	AskedAt   cx.Instant
	Position  cx.Position // of the command in the log, 0 until it is there
	Again     bool        // done once before, on what a backup has brought back
	Refused   int64       // samples of refused input that went
	DoneAt    cx.Instant  // when every store but the log was clean, 0 until then
	ArchiveAt cx.Instant  // when the archive was, 0 until then
	JournalAt cx.Instant  // when the journal was, 0 until then
	FileAt    cx.Instant  // when the warehouse's file was written anew, 0 until then
	Kept      int64       // entries of the log that stay as they are, of those erased with it too
}

// Tombstone is the salted hash of an identity of somebody who was erased.
type Tombstone [sha256.Size]byte

// Bury returns the tombstone of an identity in a file with this salt.
func Bury(salt []byte, w cx.Workspace, i cx.Identity) (t Tombstone) {
	h := hmac.New(sha256.New, salt)
	fmt.Fprintf(h, "%d:%s%d:%s", len(w), w, i.Namespace, i.Value)
	h.Sum(t[:0])
	return t
}

// Salt returns what tombstones are made with. It never leaves the file.
func (c *Control) Salt(ctx context.Context) (salt []byte, err error) {
	err = c.db.QueryRowContext(ctx, "SELECT salt FROM salt").Scan(&salt)
	return salt, err
}

// AddErasure keeps that a person is to be erased, with the tombstones.
func (c *Control) AddErasure(ctx context.Context, e *Erasure, stones []Tombstone) error {
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("keep an erasure: %w", err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "INSERT INTO erasures (id, workspace, customers, who, asked_at, position, again, refused, done_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		e.ID, e.Workspace, idsOf(e), e.Who, e.AskedAt, int64(e.Position), e.Again, e.Refused, e.DoneAt); err != nil {
		return fmt.Errorf("keep an erasure: %w", err)
	}
	if err := bury(ctx, tx, e.ID, stones); err != nil {
		return err
	}
	return tx.Commit()
}

func idsOf(e *Erasure) string {
	ids := make([]string, len(e.Customers))
	for i, id := range e.Customers {
		ids[i] = id.String()
	}
	return strings.Join(ids, ",")
}

// Bury adds tombstones to an erasure.
func (c *Control) Bury(ctx context.Context, id string, stones []Tombstone) error {
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("keep an erasure: %w", err)
	}
	defer tx.Rollback()
	if err := bury(ctx, tx, id, stones); err != nil {
		return err
	}
	return tx.Commit()
}

func bury(ctx context.Context, tx *sql.Tx, id string, stones []Tombstone) error {
	for _, t := range stones {
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO tombstones (hash, erasure) VALUES (?, ?)", t[:], id); err != nil {
			return fmt.Errorf("keep an erasure: %w", err)
		}
	}
	return nil
}

// NoteErasure keeps how far an erasure has come.
func (c *Control) NoteErasure(ctx context.Context, e *Erasure) error {
	_, err := c.db.ExecContext(ctx, "UPDATE erasures SET customers = ?, position = ?, refused = ?, done_at = ?, journal_at = ?, file_at = ? WHERE id = ?", idsOf(e), int64(e.Position), e.Refused, e.DoneAt, e.JournalAt, e.FileAt, e.ID)
	return err
}

// Erasures returns the erasures of a workspace, or the one with an id, newest
// first.
func (c *Control) Erasures(ctx context.Context, w cx.Workspace, id string, limit int) ([]Erasure, error) {
	return list(ctx, c.db, func(r *sql.Rows, e *Erasure) error {
		var customers string
		err := r.Scan(&e.ID, &e.Workspace, &customers, &e.Who, &e.AskedAt, &e.Position, &e.Again, &e.Refused, &e.DoneAt, &e.ArchiveAt, &e.JournalAt, &e.FileAt, &e.Kept)
		for text := range strings.SplitSeq(customers, ",") {
			if id, ok := cx.ParseCustomerID(text); ok {
				e.Customers = append(e.Customers, id)
			}
		}
		return err
	}, `SELECT id, workspace, customers, who, asked_at, position, again, refused, done_at, archive_at, journal_at, file_at, kept FROM erasures
		WHERE (?1 = '*' OR workspace = ?1) AND (?2 = '' OR id = ?2) ORDER BY asked_at DESC, id LIMIT ?3`, w, id, limit)
}

// Tombstones calls found with every tombstone and the position of its erasure,
// 0 while that is not in the log.
func (c *Control) Tombstones(ctx context.Context, found func(Tombstone, cx.Position)) error {
	type stone struct {
		hash []byte
		at   cx.Position
	}
	all, err := list(ctx, c.db, func(r *sql.Rows, s *stone) error { return r.Scan(&s.hash, &s.at) },
		"SELECT hash, max(position) FROM tombstones JOIN erasures ON id = erasure GROUP BY hash")
	for _, s := range all {
		if len(s.hash) == sha256.Size {
			found(Tombstone(s.hash), s.at)
		}
	}
	return err
}
