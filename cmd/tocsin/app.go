package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/bot"
	"tocsin/config"
	"tocsin/engine"
	"tocsin/handlers"
	"tocsin/outbox"
	"tocsin/store"
	"tocsin/systemd"
	"tocsin/trace"
)

// How long each part may take to stop, and all of them together: below the 10 s
// that a SIGTERM may take.
const (
	stopAll     = 9 * time.Second
	stopClients = 2 * time.Second
	stopServers = time.Second
	stopSocket  = 5 * time.Second
	stopOutbox  = 3 * time.Second
	stopEngine  = time.Second / 2
	stopIntake  = time.Second
)

// origin is what a daemon is made from, and the next one if it becomes a standby.
type origin struct {
	in    config.Input
	log   *zap.Logger
	level zap.AtomicLevel // of log
	// reloads has a signal for each time that the configuration is to be read again.
	reloads <-chan os.Signal
	doors   *doors
}

// daemon holds the parts of Tocsin, wired together.
type daemon struct {
	origin
	// cfg is the configuration that the daemon was started with; latest is the one as of the
	// latest reload, in which the options that need a restart have no effect.
	cfg       *config.Config
	latest    atomic.Pointer[config.Config]
	reloading sync.Mutex
	// rejected is why the latest configuration was not applied; nil if it was.
	rejected atomic.Pointer[alert.Problem]
	notifier systemd.Notifier

	// self is what the other replicas know of this one from its start, identity knows the
	// workspace, and receiver has the connections to Slack.
	self     alert.Replica
	identity atomic.Pointer[bot.Bot]
	receiver atomic.Pointer[fromSlack]
	// before is what received as long as this daemon was a standby, until slack does; nil for none.
	before *standbyReceiver

	store  *store.DB
	bot    *bot.Bot
	slack  fromSlack
	outbox *outbox.Outbox
	engine *engine.Engine
	tracer *trace.Tracer // nil for none
	people *handlers.Handlers
	front  atomic.Pointer[front]
	tokens *tokens
	intro  *introduction
	intake *intake
	full   span // the backlog
	hears  span // a standby keeps connections
	// heartbeats counts them by status, as they were at the last look.
	heartbeats *prometheus.GaugeVec
	stored     storedGauges
	registry   prometheus.Registerer
	metrics    http.Handler
	// certificates are those of an encrypted TCP listener; nil for none.
	certificates *certificates
	// failedExpressions counts those of ingest.webhooks.
	failedExpressions *prometheus.CounterVec

	// requests is where Slack's requests come; nil in Socket Mode.
	unix, tcp, requests net.Listener
	// socketFile is the file of unix as it was made; nil without one.
	socketFile os.FileInfo
	stopping   atomic.Bool
	examining  chan struct{} // has room for the one that looks for what is wrong
	clients    *api.Connections
	servers    []*http.Server
	accepting  sync.WaitGroup // the servers, for as long as they accept connections
}

// fromSlack receives what people do in Slack.
type fromSlack interface {
	Run(ctx context.Context) error
	Status() bot.Status
	Replace()
}

// newDaemon builds every part from the bottom up and binds the listeners. It
// starts nothing; close releases what it holds.
func newDaemon(ctx context.Context, cfg *config.Config, o origin) (*daemon, error) {
	files, err := openFiles()
	if err != nil {
		return nil, err
	}
	in, log := o.in, o.log
	d := &daemon{origin: o, cfg: cfg, self: newReplica(), tokens: newTokens(cfg, in, log), examining: make(chan struct{}, 1), clients: api.NewConnections(files/2, log.Named("api"))}
	d.latest.Store(cfg)
	registry := prometheus.NewRegistry()
	d.registry, d.metrics, d.failedExpressions = registry, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), failedExpressions(registry)
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), alertmanagerInfo(), buildInfo())

	if cfg.Listen.TLS.Certificate != nil {
		d.certificates = newCertificates(in, cfg.Listen.TLS, log.Named("tls"))
	}
	if d.store, err = d.openStore(ctx, registry); err != nil {
		return nil, err
	}
	cfg = d.latest.Load() // a standby may have read it again
	d.tracer = d.newTracer()
	d.registerHealth(registry)
	d.bot = bot.New(bot.Options{APIURL: cfg.Slack.APIURL, Authorities: cfg.Slack.Authorities, Tokens: d.tokens.read, ImageHosts: cfg.Ingest.ImageHosts, Learn: d.learn, Answered: func(accepted alert.Secret) { d.tokens.accept(accepted); d.outbox.SlackAnswered() }, Fenced: d.store.Fenced, Transport: d.tracer.Transport, Connections: d.connections, Track: api.NewConnections(files/4, log.Named("bot")).Track, Log: log.Named("bot"), Metrics: registry})
	d.identity.Store(d.bot)
	d.intro = &introduction{probe: d.bot.Probe, log: log.Named("bot")}
	d.outbox = outbox.New(d.store, d.bot, d.outboxOptions(cfg))
	d.engine = engine.New(d.store, d.engineOptions(cfg))
	d.people = handlers.New(d.handlerOptions(cfg))
	first, err := d.newFront(cfg, nil)
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	d.front.Store(first)
	if err := d.listen(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	if d.requests == nil {
		d.slack = bot.NewSocket(d.bot, d.store, d.people)
	} else {
		d.slack = bot.NewRequests(d.bot, d.store, d.people, d.requests, d.tokens.signing)
	}
	d.receiver.Store(&d.slack)
	d.intake = newIntake(in.Spools(), d.unixHandler(), d.addresses(), log.Named("spool"))
	return d, nil
}

// buildInfo is the metric about what runs.
func buildInfo() prometheus.Collector {
	b := thisBuild()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tocsin_build_info", Help: "The version of Tocsin; always 1.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go": b.Go},
	})
	info.Set(1)
	return info
}

// alertmanagerInfo is the metric in which karma looks for the version of Alertmanager's API.
func alertmanagerInfo() prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "alertmanager_build_info", Help: "The version of Alertmanager whose API Tocsin has; always 1.",
		ConstLabels: prometheus.Labels{"version": api.AlertmanagerVersion},
	})
	info.Set(1)
	return info
}

// learn keeps which id Slack has for a conversation, and has the outbox follow.
func (d *daemon) learn(ctx context.Context, spelling, id string) error {
	if err := d.store.Learn(ctx, spelling, id); err != nil {
		return err
	}
	d.outbox.UpdateNames(ctx)
	return nil
}

// holdUnsure says whether a delivery is held when it is unknown whether Slack has
// it. The job's route decides; for a digest, every route that sends to its
// conversation.
func (d *daemon) holdUnsure(job alert.Job) bool {
	names := d.store.Aliases()
	routing := names.Routing(d.latest.Load().Routing)
	if job.Digest != nil {
		return routing.HoldsIn(job.Lane)
	}
	return routing.PlanOf(job.Incident, names).HoldUnsure
}

func (d *daemon) close() error {
	var err error
	for _, l := range []net.Listener{d.unix, d.tcp, d.requests} {
		if l != nil {
			if e := l.Close(); !errors.Is(e, net.ErrClosed) {
				err = errors.Join(err, e)
			}
		}
	}
	d.tracer.Close()
	err = errors.Join(err, d.before.close())
	if d.store != nil {
		err = errors.Join(err, d.store.Close())
	}
	return err
}

// run starts the parts, says READY, and returns once ctx has ended and all of
// them have stopped; nil if that went well.
func (d *daemon) run(ctx context.Context) error {
	parts := newStages(d.log)
	parts.start("outbox", stopOutbox, d.outbox.Run)
	select { // health must not be good before the outbox knows what is wrong
	case <-d.outbox.Loaded():
	case <-ctx.Done():
	}
	parts.start("store", time.Second, d.store.Active)
	parts.start("engine", stopEngine, d.engine.Run)
	parts.start("introduction", time.Second, d.intro.run)
	parts.start("homes", time.Second, d.people.Run)
	parts.start("slack", stopSocket, d.slack.Run)
	parts.start("standby's slack", stopSocket, d.relieve)
	parts.start("watchdog", time.Second, func(ctx context.Context) error { return d.notifier.Watch(ctx, d.alive) })
	parts.start("status", time.Second, d.updateStatus)
	parts.start("outages", 2*time.Second, d.reportOutages)
	parts.start("images", time.Second, d.bot.FetchImages)
	parts.start("names", time.Second, d.bot.LearnNames)
	parts.start("spool", stopIntake, d.intake.run)
	d.serveClients(parts)
	d.ready()
	parts.start("reload", time.Second, d.reloadOn(d.reload))
	err := parts.wait(ctx)
	d.stopping.Store(true)
	d.doors.kept.Store(errors.Is(err, store.ErrSuperseded))
	d.log.Info("stopping", zap.Error(err))
	d.notifyStopping(err)
	err = errors.Join(err, parts.stop(), d.close())
	d.log.Info("stopped", zap.Error(err))
	return err
}

// notifyStopping tells the service manager that the process ends, unless it only becomes a
// standby.
func (d *daemon) notifyStopping(why error) {
	if errors.Is(why, store.ErrSuperseded) {
		d.logNotify(d.notifier.Status("another replica has become active: this one becomes a standby"))
		return
	}
	d.logNotify(d.notifier.Stopping("finishing deliveries in progress"))
}

// logNotify logs that the service manager did not get what it was sent, which is no reason to wait
// or to end: the notifier repeats it.
func (d *daemon) logNotify(err error) {
	if err != nil {
		d.log.Warn("the service manager does not listen", zap.Error(err))
	}
}

func (d *daemon) ready() {
	fields := []zap.Field{zap.String("version", versionName()), zap.Stringer("store", d.cfg.Store), zap.String("default_channel", d.cfg.DefaultChannel)}
	if d.unix != nil {
		fields = append(fields, zap.String("socket", d.cfg.Listen.Socket))
	}
	if d.tcp != nil {
		fields = append(fields, zap.Stringer("listen", d.tcp.Addr()))
	}
	if d.requests != nil {
		fields = append(fields, zap.Stringer("requests", d.requests.Addr()))
	}
	d.log.Info("ready", fields...)
	d.logNotify(d.notifier.Ready(statusLine(d.health())))
}

// addresses are where clients find the daemon.
func (d *daemon) addresses() (all []string) {
	if d.unix != nil {
		all = append(all, d.cfg.Listen.Socket)
	}
	if d.tcp != nil {
		for _, address := range []string{d.cfg.Listen.TCP, d.tcp.Addr().String()} {
			all = append(all, address, "http://"+address, "https://"+address)
		}
	}
	return all
}

// serverURL is the address shown in the help in Slack, or empty.
func (d *daemon) serverURL() string {
	at, err := netip.ParseAddrPort(d.cfg.Listen.TCP)
	if err != nil {
		return ""
	}
	if d.certificates != nil {
		return "https://" + at.String()
	}
	return "http://" + at.String()
}
