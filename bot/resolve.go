package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/slack-go/slack"

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

// slackID matches the ids of conversations and people (slack-facts §2.1).
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
	c, err := b.call("users.lookupByEmail", mail)
	if err != nil {
		return "", err
	}
	c.reads = true
	_, err = c.api.GetUserByEmailContext(ctx, mail)
	if err := c.result(err); err != nil {
		return "", err
	}
	var found struct {
		User struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	_ = json.Unmarshal(c.body, &found)
	if found.User.ID == "" {
		return "", c.refused("users_not_found")
	}
	return found.User.ID, nil
}

// byName goes through the workspace's people page by page: Slack has no method
// that finds one by name. The mail address is the better spelling.
func (b *Bot) byName(ctx context.Context, spelling string) (string, error) {
	name := strings.TrimPrefix(spelling, "@")
	for cursor := ""; ; {
		c, err := b.call("users.list", spelling)
		if err != nil {
			return "", err
		}
		c.reads = true
		_, err = c.api.GetUsersPaginated(slack.GetUsersOptionLimit(200), slack.GetUsersOptionCursor(cursor)).Next(ctx)
		if err := c.result(err); err != nil {
			return "", err
		}
		if id := memberID(c.body, name); id != "" {
			return id, nil
		}
		if cursor = c.answer.Metadata.NextCursor; cursor == "" {
			return "", c.refused("users_not_found")
		}
	}
}

// memberID finds a living person by user name or display name in one page.
func memberID(body []byte, name string) string {
	var page struct {
		Members []struct {
			ID      string `json:"id"`
			Name    string `json:"name"`
			Deleted bool   `json:"deleted"`
			Profile struct {
				DisplayName string `json:"display_name"`
			} `json:"profile"`
		} `json:"members"`
	}
	_ = json.Unmarshal(body, &page)
	for _, m := range page.Members {
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
	c, err := b.call("conversations.open", user)
	if err != nil {
		return "", err
	}
	c.reads = true
	_, _, _, err = c.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}})
	return c.answer.channel(), c.result(err)
}

func (b *Bot) byChannelName(ctx context.Context, spelling string) (string, error) {
	if id, ok := b.known.recall(spelling); ok {
		return id, nil
	}
	name := strings.TrimPrefix(spelling, "#")
	for cursor := ""; ; {
		c, err := b.call("users.conversations", spelling)
		if err != nil {
			return "", err
		}
		c.reads = true
		_, _, err = c.api.GetConversationsForUserContext(ctx, &slack.GetConversationsForUserParameters{
			Cursor: cursor, Limit: 200, Types: []string{"public_channel", "private_channel"}})
		if err := c.result(err); err != nil {
			return "", err
		}
		if id := channelID(c.body, name); id != "" {
			b.known.keep(spelling, id)
			return id, nil
		}
		if cursor = c.answer.Metadata.NextCursor; cursor == "" {
			return "", &alert.SendError{Class: alert.ClassDestination, Code: "not_in_channel", Hint: c.hint("not_in_channel"),
				Err: fmt.Errorf("the bot is not a member of %s, so it can't read there", spelling)}
		}
	}
}

func channelID(body []byte, name string) string {
	var page struct {
		Channels []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"channels"`
	}
	_ = json.Unmarshal(body, &page)
	for _, ch := range page.Channels {
		if strings.EqualFold(ch.Name, name) {
			return ch.ID
		}
	}
	return ""
}
