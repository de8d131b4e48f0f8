package nice

import (
	"errors"
	"sync"
	"syscall"
	"testing"
)

// priority returns the calling thread's niceness. The system call answers
// 20 minus the niceness.
func priority(t *testing.T) int {
	t.Helper()
	p, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Gettid())
	if err != nil {
		t.Fatal(err)
	}
	return 20 - p
}

func TestThreadIsLowAndOthersAreNot(t *testing.T) {
	before := priority(t)
	low := NewThread()
	defer low.Close()
	for range 3 {
		if err := low.Do(func() error {
			if p := priority(t); p != level {
				t.Errorf("a kept thread has niceness %d, want %d", p, level)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	_ = Run(func() error {
		if p := priority(t); p != level {
			t.Errorf("Run's thread has niceness %d, want %d", p, level)
		}
		return nil
	})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if p := priority(t); p != before {
				t.Errorf("an ordinary goroutine got niceness %d, want %d", p, before)
			}
		})
	}
	wg.Wait()
}

func TestErrorsComeBack(t *testing.T) {
	want := errors.New("no")
	low := NewThread()
	defer low.Close()
	if err := low.Do(func() error { return want }); !errors.Is(err, want) {
		t.Errorf("Do returned %v", err)
	}
	if err := Run(func() error { return want }); !errors.Is(err, want) {
		t.Errorf("Run returned %v", err)
	}
}
