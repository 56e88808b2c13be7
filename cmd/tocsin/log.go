package main

import (
	"fmt"
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"tocsin/config"
	"tocsin/systemd"
)

// newLog builds the daemon's log on stderr: JSON for machines (under systemd, or
// when stderr is not a terminal), otherwise one readable line for each event. The level may be
// changed later.
func newLog(w world, cfg config.Log) (*zap.Logger, zap.AtomicLevel, error) {
	level, err := zap.ParseAtomicLevel(cfg.Level)
	if err != nil {
		return nil, level, fmt.Errorf("set up log: %w", err)
	}
	console := cfg.Format == "console" || cfg.Format == "auto" && isTerminal(w.stderr) && !systemd.Managed()
	if !console && systemd.Managed() {
		return zap.New(zapcore.NewCore(journalEncoder{jsonEncoder(), buffer.NewPool()}, zapcore.Lock(zapcore.AddSync(w.stderr)), level)), level, nil
	}
	return buildLog(w.stderr, level, console, w.colour()), level, nil
}

func jsonEncoder() zapcore.Encoder { return zapcore.NewJSONEncoder(encoding()) }

func encoding() zapcore.EncoderConfig {
	enc := zap.NewProductionEncoderConfig()
	enc.TimeKey, enc.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	enc.EncodeDuration = zapcore.StringDurationEncoder
	return enc
}

func buildLog(to io.Writer, level zapcore.LevelEnabler, console, colour bool) *zap.Logger {
	encoder := jsonEncoder()
	if console {
		enc := encoding()
		enc.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		enc.EncodeLevel = zapcore.CapitalLevelEncoder
		if colour {
			enc.EncodeLevel = zapcore.CapitalColorLevelEncoder
		}
		encoder = zapcore.NewConsoleEncoder(enc)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(to)), level))
}

// journalEncoder begins each line with its priority, as journald reads it from a
// service's standard error (sd-daemon(3)), so that journalctl -p finds it.
type journalEncoder struct {
	zapcore.Encoder
	buffers buffer.Pool
}

// Clone is needed because a logger with fields uses a copy.
func (e journalEncoder) Clone() zapcore.Encoder { return journalEncoder{e.Encoder.Clone(), e.buffers} }

// EncodeEntry returns one line.
func (e journalEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line, err := e.Encoder.EncodeEntry(entry, fields)
	if err != nil {
		return nil, err
	}
	defer line.Free()
	prefixed := e.buffers.Get()
	prefixed.AppendString(priority(entry.Level))
	_, err = prefixed.Write(line.Bytes())
	return prefixed, err
}

// errorPriority is what journald calls err.
const errorPriority = "<3>"

// priority is the prefix for a level: debug, info, warning, err or crit.
func priority(level zapcore.Level) string {
	switch {
	case level < zapcore.InfoLevel:
		return "<7>"
	case level < zapcore.WarnLevel:
		return "<6>"
	case level < zapcore.ErrorLevel:
		return "<4>"
	case level == zapcore.ErrorLevel:
		return errorPriority
	}
	return "<2>"
}

// colour reports whether stderr should have colours (https://no-color.org).
func (w world) colour() bool {
	return w.getenv("NO_COLOR") == "" && w.getenv("TERM") != "dumb" && isTerminal(w.stderr)
}

func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}
