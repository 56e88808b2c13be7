package bot

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"tocsin/alert"
)

// cacheSize limits each cache; a workspace has fewer destinations.
const cacheSize = 1000

// idCache keeps the ids of conversations and people by how a person spelled them.
type idCache struct {
	mu  sync.Mutex
	ids map[string]string
}

func (c *idCache) get(spelling string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.ids[spelling]
	return id, ok
}

func (c *idCache) put(spelling, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for other := range c.ids {
		if len(c.ids) < cacheSize {
			break
		}
		delete(c.ids, other)
	}
	c.ids[spelling] = id
}

func (c *idCache) forget(spelling string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ids, spelling)
}

// slackID matches the ids of conversations and people (docs/slack.md §2.1).
var slackID = regexp.MustCompile(`^[CGDUW][A-Z0-9]{3,}$`)

// resolve turns a spelling into what chat.postMessage accepts: an id, or a #name.
// Only people have to be looked up.
func (b *Bot) resolve(ctx context.Context, spelling string) (string, error) {
	spelling = strings.TrimSpace(spelling)
	name, isName := strings.CutPrefix(spelling, "@")
	switch {
	case slackID.MatchString(name):
		return name, nil
	case isName:
		return b.lookUpPerson(ctx, spelling, b.findByName)
	case strings.Contains(spelling, "@"):
		return b.lookUpPerson(ctx, spelling, b.findByEmail)
	}
	return spelling, nil
}

type lookupFunc func(ctx context.Context, spelling string) (id string, err error)

// lookUpPerson returns the cached id, or calls look. A scope that is missing for
// the lookup breaks this destination, not the whole app.
func (b *Bot) lookUpPerson(ctx context.Context, spelling string, look lookupFunc) (string, error) {
	if id, ok := b.ids.get(spelling); ok {
		return id, nil
	}
	id, err := look(ctx, spelling)
	if err != nil {
		return "", asDestinationError(err)
	}
	b.ids.put(spelling, id)
	return id, nil
}

// asDestinationError turns an error that concerns one method into an error of the
// destination that needed it: the app can still post elsewhere.
func asDestinationError(err error) error {
	e, ok := errors.AsType[*alert.SendError](err)
	if !ok || !alert.ExplainSlackError(e.Code).Method {
		return err
	}
	narrowed := *e
	narrowed.Class = alert.ClassDestination
	return &narrowed
}

func (b *Bot) findByEmail(ctx context.Context, mail string) (string, error) {
	var found struct {
		reply
		User struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	err := b.call(ctx, request{"users.lookupByEmail", mail, map[string]string{"email": mail}}, &found)
	if err == nil && found.User.ID == "" {
		err = b.refusal("users_not_found", mail, "")
	}
	return found.User.ID, err
}

// findByName reads the list of all people, because Slack has no method that finds
// one by name. A mail address takes one call.
func (b *Bot) findByName(ctx context.Context, spelling string) (string, error) {
	name := strings.TrimPrefix(spelling, "@")
	for cursor := ""; ; {
		var page memberPage
		args := map[string]string{"limit": "200", "cursor": cursor}
		if err := b.call(ctx, request{"users.list", spelling, args}, &page); err != nil {
			return "", err
		}
		if id := page.find(name); id != "" {
			return id, nil
		}
		if cursor = page.Metadata.NextCursor; cursor == "" {
			return "", b.refusal("users_not_found", spelling, "")
		}
	}
}

// memberPage is a page of users.list.
type memberPage struct {
	reply
	Members []struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Deleted bool   `json:"deleted"`
		Profile struct {
			DisplayName string `json:"display_name"`
		} `json:"profile"`
	} `json:"members"`
}

// find returns the id of an active person by user name or display name.
func (p memberPage) find(name string) string {
	for _, m := range p.Members {
		if !m.Deleted && (strings.EqualFold(m.Name, name) || strings.EqualFold(m.Profile.DisplayName, name)) {
			return m.ID
		}
	}
	return ""
}

// conversationID returns the id of the conversation a job posts to, by which its
// history can be read. A #name is looked up among the conversations that the bot is
// a member of, because it can't read others.
func (b *Bot) conversationID(ctx context.Context, job alert.Job) (string, error) {
	if job.Known != "" {
		return job.Known, nil
	}
	id, err := b.resolve(ctx, job.Place())
	if err != nil {
		return "", err
	}
	switch {
	case !slackID.MatchString(id):
		return b.findByChannelName(ctx, id)
	case id[0] == 'U' || id[0] == 'W':
		return b.openDM(ctx, id)
	}
	return id, nil
}

func (b *Bot) openDM(ctx context.Context, user string) (string, error) {
	var opened struct {
		reply
		Channel struct {
			ID string `json:"id"`
		} `json:"channel"`
	}
	err := b.call(ctx, request{"conversations.open", user, map[string]string{"users": user}}, &opened)
	if err == nil && opened.Channel.ID == "" {
		err = badAnswer()
	}
	return opened.Channel.ID, err
}

// findByChannelName reads the list of the channels that the bot is a member of.
func (b *Bot) findByChannelName(ctx context.Context, spelling string) (string, error) {
	if id, ok := b.ids.get(spelling); ok {
		return id, nil
	}
	name := strings.TrimPrefix(spelling, "#")
	for cursor := ""; ; {
		var page channelPage
		args := map[string]string{"types": "public_channel,private_channel", "limit": "200", "cursor": cursor}
		if err := b.call(ctx, request{"users.conversations", spelling, args}, &page); err != nil {
			return "", err
		}
		if id := page.find(name); id != "" {
			b.ids.put(spelling, id)
			return id, nil
		}
		if cursor = page.Metadata.NextCursor; cursor == "" {
			e := b.refusal("not_in_channel", spelling, "")
			e.Err = fmt.Errorf("the bot is not a member of %s, so it can't read there", spelling)
			return "", e
		}
	}
}

// channelPage is a page of users.conversations.
type channelPage struct {
	reply
	Channels []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"channels"`
}

func (p channelPage) find(name string) string {
	for _, ch := range p.Channels {
		if strings.EqualFold(ch.Name, name) {
			return ch.ID
		}
	}
	return ""
}
