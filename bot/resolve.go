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

// rememberAtMost bounds how many spellings are remembered; a workspace has fewer
// destinations than that.
const rememberAtMost = 1000

// memory remembers the ids behind spellings.
type memory struct {
	mu  sync.Mutex
	ids map[string]string
}

func (m *memory) recall(spelling string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.ids[spelling]
	return id, ok
}

func (m *memory) keep(spelling, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for other := range m.ids {
		if len(m.ids) < rememberAtMost {
			break
		}
		delete(m.ids, other)
	}
	m.ids[spelling] = id
}

func (m *memory) forget(spelling string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ids, spelling)
}

// slackID matches the ids of conversations and people (docs/slack.md §2.1).
var slackID = regexp.MustCompile(`^[CGDUW][A-Z0-9]{3,}$`)

// resolve turns a lane's spelling into what chat.postMessage takes: an id, or a
// #name as it is. Only people have to be looked up.
func (b *Bot) resolve(ctx context.Context, spelling string) (string, error) {
	spelling = strings.TrimSpace(spelling)
	name, isName := strings.CutPrefix(spelling, "@")
	switch {
	case slackID.MatchString(name):
		return name, nil
	case isName:
		return b.person(ctx, spelling, b.byName)
	case strings.Contains(spelling, "@"):
		return b.person(ctx, spelling, b.byMail)
	}
	return spelling, nil
}

type lookupFunc func(ctx context.Context, spelling string) (id string, err error)

// person remembers what look finds. A scope that is missing for looking up one
// person breaks this destination, not the whole app.
func (b *Bot) person(ctx context.Context, spelling string, look lookupFunc) (string, error) {
	if id, ok := b.known.recall(spelling); ok {
		return id, nil
	}
	id, err := look(ctx, spelling)
	if err != nil {
		return "", onlyHere(err)
	}
	b.known.keep(spelling, id)
	return id, nil
}

// onlyHere narrows a missing right from the whole app to the destination that
// needed it.
func onlyHere(err error) error {
	e, ok := errors.AsType[*alert.SendError](err)
	if !ok || !alert.ExplainSlackError(e.Code).Method {
		return err
	}
	narrowed := *e
	narrowed.Class = alert.ClassDestination
	return &narrowed
}

func (b *Bot) byMail(ctx context.Context, mail string) (string, error) {
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

// byName goes through the workspace's people page by page: Slack has no method
// that finds one by name. The mail address is the better spelling.
func (b *Bot) byName(ctx context.Context, spelling string) (string, error) {
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

// find finds a person who is not deactivated by user name or display name.
func (p memberPage) find(name string) string {
	for _, m := range p.Members {
		if !m.Deleted && (strings.EqualFold(m.Name, name) || strings.EqualFold(m.Profile.DisplayName, name)) {
			return m.ID
		}
	}
	return ""
}

// conversation is the id of the conversation a post went to, which its history
// can be read by. A #name is looked up among the conversations that the bot is a
// member of, because it can read no other.
func (b *Bot) conversation(ctx context.Context, job alert.Job) (string, error) {
	if job.Known != "" {
		return job.Known, nil
	}
	id, err := b.resolve(ctx, job.Place())
	if err != nil {
		return "", err
	}
	switch {
	case !slackID.MatchString(id):
		return b.byChannelName(ctx, id)
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

// byChannelName goes through the channels that the bot is a member of.
func (b *Bot) byChannelName(ctx context.Context, spelling string) (string, error) {
	if id, ok := b.known.recall(spelling); ok {
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
			b.known.keep(spelling, id)
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
