package bot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tocsin/alert"
	"tocsin/render"
)

// The limits of images that are fetched.
const (
	// imageTime bounds one image from its first byte to its last, with redirects.
	imageTime = 10 * time.Second
	// imageSize is the most bytes of an image.
	imageSize = 4 << 20
	// imagesHeld is how many are waited for or kept, imageKept for how long: the lanes of
	// one incident share it.
	imagesHeld = 32
	imageKept  = 5 * time.Minute
	// imagePatience is how long a delivery waits for its image before others have their
	// turn: as long as they are apart anyway.
	imagePatience = time.Second
	imagesAtOnce  = 4
	redirects     = 3
)

// images are the images that are fetched from the hosts of Options.ImageHosts.
type images struct {
	hosts atomic.Pointer[alert.ImageHosts]
	http  *http.Client
	now   func() time.Time
	queue chan *image

	mu   sync.Mutex
	held map[string]*image // by address
}

// image is one image. What it has after done is for reading.
type image struct {
	address string
	asked   time.Time
	done    chan struct{}
	content []byte
	ending  string // of its file's name
	err     error
}

func newImages(hosts alert.ImageHosts, now func() time.Time) *images {
	i := &images{now: now, queue: make(chan *image, imagesHeld), held: map[string]*image{}}
	i.hosts.Store(&hosts)
	i.http = &http.Client{
		Timeout:   imageTime,
		Transport: &http.Transport{DialContext: dialImage, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > redirects {
				return errors.New("it is redirected too often")
			}
			r.Header.Del("Referer") // the address may have a password in it
			return i.allow(r.URL)
		},
	}
	return i
}

func (i *images) allow(u *url.URL) error {
	if !i.hosts.Load().Allow(u) {
		at := &url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}
		return fmt.Errorf("it is at %s, which ingest.image_hosts does not list", at.Redacted())
	}
	return nil
}

// SetImageHosts replaces Options.ImageHosts.
func (b *Bot) SetImageHosts(hosts alert.ImageHosts) { b.images.hosts.Store(&hosts) }

// dialImage connects to a host that is listed. A name that leads to this machine or its
// own link is refused: only who lists such an address means it.
func dialImage(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: imageTime}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err != nil && !strings.EqualFold(host, "localhost") {
		d.Control = refuseLocal
	}
	return d.DialContext(ctx, network, address)
}

func refuseLocal(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if ip := at.Addr().Unmap(); err != nil || !ip.IsGlobalUnicast() {
		return fmt.Errorf("its name leads to %s: list that address itself in ingest.image_hosts if you mean it", ip)
	}
	return nil
}

// FetchImages fetches images until ctx ends.
func (b *Bot) FetchImages(ctx context.Context) error {
	var all sync.WaitGroup
	for range imagesAtOnce {
		all.Go(func() { b.images.run(ctx) })
	}
	all.Wait()
	return nil
}

func (i *images) run(ctx context.Context) {
	for {
		select {
		case wanted := <-i.queue:
			wanted.content, wanted.ending, wanted.err = i.fetch(ctx, wanted.address)
			close(wanted.done)
		case <-ctx.Done():
			return
		}
	}
}

// want has an image fetched, unless it is already; nil if there are too many.
func (i *images) want(address string) *image {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	for key, held := range i.held {
		if now.Sub(held.asked) > imageKept {
			delete(i.held, key)
		}
	}
	if held := i.held[address]; held != nil {
		return held
	}
	if len(i.held) >= imagesHeld {
		return nil
	}
	wanted := &image{address: address, asked: now, done: make(chan struct{})}
	select {
	case i.queue <- wanted:
		i.held[address] = wanted
		return wanted
	default:
		return nil
	}
}

// fetch returns an image, and the ending of its file's name.
func (i *images) fetch(ctx context.Context, address string) (content []byte, ending string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, "", errors.New("its address can't be read")
	}
	if err := i.allow(req.URL); err != nil {
		return nil, "", err
	}
	resp, err := i.http.Do(req)
	if err != nil {
		return nil, "", i.unfetched(req.URL.Host, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("%s answered %d", req.URL.Host, resp.StatusCode)
	}
	content, err = io.ReadAll(io.LimitReader(resp.Body, imageSize+1))
	switch kind := http.DetectContentType(content); {
	case err != nil:
		return nil, "", i.unfetched(req.URL.Host, err)
	case len(content) > imageSize:
		return nil, "", fmt.Errorf("it has more than %d MiB", imageSize>>20)
	case kind == "image/png", kind == "image/jpeg", kind == "image/gif", kind == "image/webp":
		return content, strings.TrimPrefix(kind, "image/"), nil
	default:
		return nil, "", fmt.Errorf("%s answered with %s in place of an image", req.URL.Host, kind)
	}
}

// unfetched says for people why a host has not handed over an image.
func (i *images) unfetched(host string, err error) error {
	if isTimeout(err) {
		return fmt.Errorf("%s did not send it within %s", host, i.http.Timeout)
	}
	return withoutURL(err)
}

// postImage shares an image in its card's thread, or says there why it can't.
func (b *Bot) postImage(ctx context.Context, job alert.Job, to target) (alert.Sent, error) {
	wanted := b.images.want(job.Note.Text)
	if wanted == nil {
		return alert.Sent{}, imagePending()
	}
	wait := time.NewTimer(imagePatience)
	defer wait.Stop()
	select {
	case <-wanted.done:
	case <-wait.C:
		return alert.Sent{}, imagePending()
	case <-ctx.Done():
		return alert.Sent{}, imagePending()
	}
	if wanted.err != nil {
		args := messageArgs(render.MissingImage(*job.Note, wanted.err.Error()).Below(smallPrint(job)...))
		args["metadata"] = metadata(job)
		return b.write(ctx, to, args)
	}
	alt := render.ImageAlt(job.Incident, *job.Note)
	return b.shareFile(ctx, job, to, func() (file, error) {
		return file{name: fileStem(job) + wanted.ending, title: alt, alt: alt, content: wanted.content}, nil
	})
}

// imagePending has the delivery tried again soon.
func imagePending() error {
	return &alert.SendError{Class: alert.ClassTransient, Code: "image_pending", Err: errors.New("the image is still being fetched")}
}
