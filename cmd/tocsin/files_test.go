package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestAFileWithoutEndIsAMistakeOfTheConfiguration(t *testing.T) {
	t.Parallel()
	sparse := filepath.Join(t.TempDir(), "sparse")
	if err := os.WriteFile(sparse, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(sparse, 1<<40); err != nil {
		t.Fatal(err)
	}
	for _, endless := range []string{"/dev/zero", sparse} {
		for what, vars := range map[string]string{
			"the configuration": "", "an authority": "slack: {ca_file: FILE}", "the API's token": "listen: {token_file: FILE}", "a certificate": "listen: {tls: {cert_file: FILE, key_file: FILE}}",
		} {
			config := endless
			if vars != "" {
				config = filepath.Join(t.TempDir(), "tocsin.yaml")
				if err := os.WriteFile(config, []byte("default_channel: C0ALERTS\n"+strings.ReplaceAll(vars, "FILE", endless)+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			code := run(t.Context(), []string{"config", "check", "--config", config}, world{stdout: &out, stderr: &out, getenv: func(name string) string { return map[string]string{"HOME": filepath.Dir(sparse)}[name] }})
			if code != exitUsage || !strings.Contains(out.String(), "it has more than 4 MiB") {
				t.Errorf("%s that is %s: status %d, %s", what, endless, code, &out)
			}
		}
	}
}

func TestAPipeToWhichNobodyWritesIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if content, err := readWithin(pipe, time.Millisecond); err == nil || !strings.Contains(err.Error(), "nobody writes to it") {
		t.Errorf("it was read as %q, %v", content, err)
	}
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // ends what still reads
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFileSystemThatDoesNotAnswerKeepsTheDaemonWaitingForSecondsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int64
		answer := make(chan struct{})
		read := fromFiles(func(string) ([]byte, error) {
			begun.Add(1)
			<-answer
			return []byte("token"), nil
		})
		for range 3 {
			if _, err := read("slack_bot_token"); err == nil || !strings.Contains(err.Error(), "has not answered within 5s") {
				t.Errorf("it said %v", err)
			}
		}
		if n := begun.Load(); n != 1 {
			t.Errorf("%d threads wait for the file", n)
		}
		close(answer)
		synctest.Wait()
		if content, err := read("slack_bot_token"); string(content) != "token" || err != nil || begun.Load() != 2 {
			t.Errorf("once it answers: %q, %v after %d reads", content, err, begun.Load())
		}
	})
}
