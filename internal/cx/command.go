package cx

import (
	"encoding/binary"
	"strconv"
)

// CommandKind says what an operator's command does. The numbers are part of the
// format and never change.
type CommandKind uint8

// The kinds of command.
const (
	CommandMerge    CommandKind = 1 // two customers are one person
	CommandUnmerge  CommandKind = 2 // two merged customers are two persons
	CommandErase    CommandKind = 3 // a person is to be forgotten
	CommandBackfill CommandKind = 4 // statistics that were not kept before are complete
	CommandRelease  CommandKind = 5 // an identity in quarantine is an ordinary one again
	CommandResend   CommandKind = 6 // a delivery that did not arrive is to be sent again
)

var commandKindNames = [...]string{"", "merge", "unmerge", "erase", "backfill", "release", "resend"}

// String names the kind.
func (k CommandKind) String() string {
	if int(k) < len(commandKindNames) {
		return commandKindNames[k]
	}
	return "command " + strconv.Itoa(int(k))
}

// Command is what somebody had the machine do, at one position of the journal.
// It carries all that the machine needs to do it again on every replay.
type Command struct {
	Kind      CommandKind
	Workspace Workspace
	Who       KeyID  // whose key gave it; "" is the program itself
	Why       string // for people
	Body      []byte // by kind
}

const commandCodec = 1

// AppendCommand encodes c as the payload of an EntryCommand.
func AppendCommand(dst []byte, c *Command) []byte {
	dst = append(dst, commandCodec, byte(c.Kind))
	for _, s := range [...]string{string(c.Workspace), string(c.Who), c.Why, string(c.Body)} {
		dst = AppendBytes(dst, s)
	}
	return dst
}

// DecodeCommand reads what AppendCommand wrote. The command aliases nothing.
func DecodeCommand(b []byte) (c Command, err error) {
	if len(b) < 2 || b[0] != commandCodec {
		return c, ErrCodec
	}
	r := NewReader(b[2:])
	c = Command{Kind: CommandKind(b[1]), Workspace: Workspace(r.Text()), Who: KeyID(r.Text()), Why: r.Text(), Body: []byte(r.Text())}
	if err := r.End(); err != nil {
		return Command{}, err
	}
	return c, nil
}

// AppendPair encodes the body of a CommandMerge: the two customers.
func AppendPair(dst []byte, a, b CustomerID) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, uint64(a)), uint64(b))
}

// DecodePair reads what AppendPair wrote.
func DecodePair(body []byte) (a, b CustomerID, err error) {
	if len(body) != 16 {
		return 0, 0, ErrCodec
	}
	return CustomerID(binary.LittleEndian.Uint64(body)), CustomerID(binary.LittleEndian.Uint64(body[8:])), nil
}

// AppendIdentity encodes the body of a CommandRelease: the identity.
func AppendIdentity(dst []byte, id Identity) []byte {
	return append(append(dst, byte(id.Namespace)), id.Value...)
}

// DecodeIdentity reads what AppendIdentity wrote.
func DecodeIdentity(body []byte) (id Identity, err error) {
	if len(body) < 2 || body[0] == 0 || int(body[0]) >= len(namespaceNames) {
		return Identity{}, ErrCodec
	}
	return Identity{Namespace: Namespace(body[0]), Value: string(body[1:])}, nil
}

// AppendErase encodes the body of a CommandErase: whom. It holds nothing else,
// for the journal keeps it.
func AppendErase(dst []byte, id CustomerID) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, eraseCodec), uint64(id))
}

const eraseCodec = 1

// DecodeErase reads what AppendErase wrote.
func DecodeErase(body []byte) (id CustomerID, err error) {
	if len(body) != 9 || body[0] != eraseCodec {
		return 0, ErrCodec
	}
	return CustomerID(binary.LittleEndian.Uint64(body[1:])), nil
}
