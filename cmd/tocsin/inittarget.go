package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"tocsin/config"
)

// target is the daemon that is set up: the service of the package, or one of this user.
type target struct {
	*initCmd
	service bool
	file    string // the YAML file
	dir     string // of the credentials, for the service
	dropIn  string // the file that has systemd decrypt the credentials
	env     map[string]string
	flags   map[string]string // of the service's command line
	loads   map[string]string // the files of the service's credentials, by name
	// was is how the service was before; nil if it is not known.
	was *serviceState
	// locked is the folder of the configuration, while no other setup may change it.
	locked *os.File
	// sealed are the decrypted credentials, by name.
	sealed map[string][]byte
}

// The names of the credentials of the tokens.
const (
	appCredential = "slack_app_token"
	botCredential = "slack_bot_token"
)

// unitFolders are those where systemd looks for units.
func unitFolders() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// thisHost is the setup of the machine that this runs on.
func thisHost(w world) *initCmd {
	return &initCmd{world: w, uid: os.Getuid(), systemctl: "systemctl", systemCreds: "systemd-creds"}
}

// asService is the input as this machine's service has it, for root, who names no other
// configuration: with the service's environment, folders and tokens, also encrypted ones. What
// the environment of this command says comes first.
func (c *initCmd) asService(ctx context.Context, in config.Input) config.Input {
	c.config = in.Flags["config"]
	t, err := c.target(ctx)
	if err != nil || !t.service {
		return in
	}
	own, service := in.Getenv, t.input(nil)
	decrypt := sync.OnceFunc(func() { _ = t.decrypt(ctx) }) // what can't be decrypted is missing, which is found
	flags := service.Flags
	for name, value := range in.Flags {
		flags[name] = cmp.Or(value, flags[name])
	}
	in.Flags = flags
	in.Getenv = func(name string) string {
		if strings.HasSuffix(name, "_DIRECTORY") { // a service that calls this has others
			return t.env[name]
		}
		return cmp.Or(own(name), t.env[name])
	}
	in.ReadFile = func(path string) ([]byte, error) {
		if strings.HasPrefix(path, credentialsFolder) {
			decrypt()
		}
		return service.ReadFile(path)
	}
	return in
}

// target finds out what is set up.
func (c *initCmd) target(ctx context.Context) (*target, error) {
	t := &target{initCmd: c, sealed: map[string][]byte{}}
	named := c.config != "" || c.getenv("TOCSIN_CONFIG") != ""
	if c.uid == 0 && c.hasUnit() && !named {
		return t, t.useService(ctx)
	}
	in := config.Input{Getenv: c.getenv, ReadFile: readFile, Flags: map[string]string{"config": c.config}, UID: c.uid}
	path, err := filepath.Abs(in.FileToWrite())
	if err != nil {
		return nil, fmt.Errorf("find the configuration: %w", err)
	}
	t.file = path
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		t.file = resolved
	}
	if c.uid != 0 && !named && strings.HasPrefix(t.file, "/etc/") {
		return nil, &usageError{errors.New("the service of this machine is set up by root: sudo tocsin init; for a daemon of your own, name its file: --config ~/.config/tocsin/tocsin.yaml")}
	}
	return t, nil
}

// hasUnit reports whether systemd knows the service.
func (c *initCmd) hasUnit() bool {
	return slices.ContainsFunc(unitFolders(), func(folder string) bool { return exists(c.root + folder + "/tocsin.service") })
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// useService has everything written where the unit of the package reads it.
func (t *target) useService(ctx context.Context) error {
	t.service, t.dir = true, t.root+"/etc/tocsin"
	t.dropIn = t.root + "/etc/systemd/system/tocsin.service.d/init-credentials.conf"
	files := t.readUnit(ctx)
	maps.Copy(t.env, map[string]string{"CONFIGURATION_DIRECTORY": t.dir, "CREDENTIALS_DIRECTORY": credentialsFolder, "STATE_DIRECTORY": "/var/lib/tocsin", "RUNTIME_DIRECTORY": t.root + "/run/tocsin"})
	for _, file := range files {
		content, err := readFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read the service's environment: %w", err)
		}
		for line := range strings.Lines(string(content)) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
			if ok && !strings.HasPrefix(name, "#") {
				t.env[name] = strings.Trim(value, `"'`)
			}
		}
	}
	t.file = filepath.Join(t.dir, "tocsin.yaml")
	if other := cmp.Or(t.flags["config"], t.env["TOCSIN_CONFIG"]); other != "" {
		t.file = t.root + other
	}
	if resolved, err := filepath.EvalSymlinks(t.file); err == nil {
		t.file = resolved
	}
	return nil
}

// readUnit reads what the unit has in Environment=, ExecStart= and LoadCredential=, as systemd
// has it, with the drop-ins of systemctl edit, and returns its EnvironmentFile=. Where systemd
// does not run, it is what the unit of the package has.
func (t *target) readUnit(ctx context.Context) (files []string) {
	t.env, t.flags, t.loads = map[string]string{"TOCSIN_LISTEN": "off"}, map[string]string{}, map[string]string{}
	packaged := []string{filepath.Join(t.dir, "tocsin.env")}
	if !t.booted() {
		return packaged
	}
	said, err := t.command(ctx, nil, t.systemctl, "show", "--property=Environment,EnvironmentFiles,ExecStart,LoadCredential", "tocsin.service")
	if err != nil {
		return packaged
	}
	t.env = map[string]string{}
	for line := range strings.Lines(string(said)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "Environment":
			for _, word := range shellWords(value) {
				name, value, _ := strings.Cut(word, "=")
				t.env[name] = value
			}
		case "ExecStart":
			_, args, _ := strings.Cut(value, "argv[]=")
			args, _, _ = strings.Cut(args, " ; ")
			t.flags = settingsIn(strings.Fields(args))
		case "LoadCredential":
			for _, word := range strings.Fields(value) {
				if name, path, ok := strings.Cut(word, ":"); ok && strings.HasPrefix(path, "/") {
					t.loads[name] = path
				}
			}
		case "EnvironmentFiles":
			path, _, _ := strings.Cut(value, " (ignore_errors=")
			files = append(files, t.root+path)
		}
	}
	return files
}

// settingsIn are the flags for settings among the arguments of a command.
func settingsIn(args []string) map[string]string {
	flags := map[string]string{}
	for n, arg := range args {
		name, value, ok := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !strings.HasPrefix(arg, "--") || !slices.Contains(config.FlagNames(), name) {
			continue
		}
		if !ok && n+1 < len(args) {
			value = args[n+1]
		}
		flags[name] = value
	}
	return flags
}

// shellWords are the words of a line, in which those with blanks are in double quotes.
func shellWords(line string) (words []string) {
	var word strings.Builder
	quoted, escaped, inside := false, false, false
	for _, r := range line + " " {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped, inside = true, true
		case r == '"':
			quoted, inside = !quoted, true
		case r != ' ' || quoted:
			word.WriteRune(r)
			inside = true
		case inside:
			words = append(words, word.String())
			word.Reset()
			inside = false
		}
	}
	return words
}

// what says what is set up.
func (t *target) what() string {
	if t.service {
		return "the service tocsin.service of this machine"
	}
	return "a daemon with the configuration " + t.file
}

// getenv is the daemon's environment. What is given to this command is to be written, and so
// is no part of it.
func (t *target) getenv(name string) string {
	if t.service {
		return t.env[name]
	}
	if slices.Contains([]string{"SLACK_APP_TOKEN", "SLACK_BOT_TOKEN", "SLACK_CHANNEL_ID", "SLACK_API_URL"}, name) {
		return ""
	}
	return t.initCmd.getenv(name)
}

// input is what the daemon reads, with these files in place of what is on disk.
func (t *target) input(changes []fileChange) config.Input {
	flags := map[string]string{}
	maps.Copy(flags, t.flags)
	flags["config"] = t.file
	return config.Input{Getenv: t.getenv, UID: t.uid, Flags: flags, Expressions: expressions(), ReadFile: func(path string) ([]byte, error) {
		if name, ok := strings.CutPrefix(path, credentialsFolder+"/"); ok && t.service {
			return t.credential(name, changes)
		}
		content, err := readChanged(path, changes)
		if path == t.file && errors.Is(err, fs.ErrNotExist) {
			return []byte{}, nil
		}
		return content, err
	}}
}

// credentialsFolder is where the service finds its credentials.
const credentialsFolder = "/run/credentials/tocsin.service"

// credential is what systemd passes to the service.
func (t *target) credential(name string, changes []fileChange) ([]byte, error) {
	for _, c := range changes {
		if c.path == t.encrypted(name) && c.content != nil {
			return c.plain, nil
		}
	}
	if content, ok := t.sealed[name]; ok {
		return content, nil
	}
	path := filepath.Join(t.dir, name)
	if other := t.loads[name]; other != "" {
		path = t.root + other
	}
	return readChanged(path, changes)
}

// readChanged reads a file as it will be.
func readChanged(path string, changes []fileChange) ([]byte, error) {
	for _, c := range changes {
		switch {
		case c.path != path:
		case c.content == nil:
			return nil, fs.ErrNotExist
		default:
			return c.content, nil
		}
	}
	return readFile(path)
}

// encrypted is the file of an encrypted credential.
func (t *target) encrypted(name string) string { return filepath.Join(t.dir, name+".cred") }

// movesCredential reports whether --credentials says that a token is kept in another way.
func (t *target) movesCredential(name string) bool {
	plain, sealed := filepath.Join(t.dir, name), t.encrypted(name)
	return t.service && (t.credentials == credentialsEncrypted && exists(plain) || t.credentials == credentialsPlain && exists(sealed))
}

// decrypt reads the encrypted credentials.
func (t *target) decrypt(ctx context.Context) error {
	for _, name := range []string{appCredential, botCredential} {
		if !t.service || !exists(t.encrypted(name)) {
			continue
		}
		content, err := t.command(ctx, nil, t.systemCreds, "decrypt", "--name="+name, t.encrypted(name), "-")
		if err != nil {
			return fmt.Errorf("decrypt %s: %w", t.encrypted(name), err)
		}
		t.sealed[name] = content
	}
	return nil
}

// seal encrypts a token for this machine, in a way that survives updates of its firmware, and
// checks that it can be read again.
func (t *target) seal(ctx context.Context, name string, token []byte) ([]byte, error) {
	sealed, err := t.command(ctx, token, t.systemCreds, "encrypt", "--name="+name, "--tpm2-pcrs=", "-", "-")
	if err != nil {
		return nil, fmt.Errorf("encrypt the token: %w", err)
	}
	opened, err := t.command(ctx, sealed, t.systemCreds, "decrypt", "--name="+name, "-", "-")
	if err == nil && !bytes.Equal(opened, token) {
		err = errors.New("what was encrypted is something else when it is decrypted")
	}
	return sealed, err
}

// command runs a program of the system; the error has what it says.
func (t *target) command(ctx context.Context, stdin []byte, name string, args ...string) ([]byte, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w %s", filepath.Base(name), args[0], err, flat(said.String()))
	}
	return out.Bytes(), nil
}
