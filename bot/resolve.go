package bot

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tocsin/alert"
)

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
		return b.lookUp(ctx, spelling, b.findByName)
	case strings.Contains(spelling, "@"):
		return b.lookUp(ctx, spelling, b.findByEmail)
	}
	return spelling, nil
}

// lookUp returns the cached id, or calls find. A scope that is missing for the
// lookup breaks this destination, not the whole app.
func (b *Bot) lookUp(ctx context.Context, spelling string, find func(context.Context, string) (string, error)) (string, error) {
	return b.ids.get(spelling, func() (string, error) {
		id, err := find(ctx, spelling)
		if err == nil {
			b.learn(ctx, spelling, id)
		}
		return id, asDestinationError(err)
	})
}

// asDestinationError turns an error that concerns one method into an error of the
// destination that needed it: the app can still post elsewhere. codes are further
// error codes to turn.
func asDestinationError(err error, codes ...string) error {
	e, ok := errors.AsType[*alert.SendError](err)
	if !ok || !alert.ExplainSlackError(e.Code).Method && !slices.Contains(codes, e.Code) {
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
func (b *Bot) findByName(ctx context.Context, spelling string) (id string, err error) {
	name, near := strings.TrimPrefix(spelling, "@"), ""
	r := request{"users.list", spelling, map[string]string{"limit": "200"}}
	err = pages(ctx, b, r, func(page listPage) (bool, error) {
		id, near = page.find(name), page.nearer(name, near)
		return id != "", nil
	})
	if err == nil && id == "" {
		refusal := b.refusal("users_not_found", spelling, "")
		if near != "" {
			refusal.Near = "@" + near
			refusal.Hint += "; did you mean " + refusal.Near + "?"
		}
		err = refusal
	}
	return id, err
}

// findByChannelName reads the list of the channels that the bot is a member of.
func (b *Bot) findByChannelName(ctx context.Context, spelling string) (string, error) {
	args := map[string]string{"types": "public_channel,private_channel", "limit": "200"}
	id, err := b.findInList(ctx, request{"users.conversations", spelling, args})
	if err == nil && id == "" {
		e := b.refusal("not_in_channel", spelling, "")
		e.Err = fmt.Errorf("the bot is not a member of %s, so it can't read there", spelling)
		err = e
	}
	return id, err
}

// findInList returns the id of the person or channel that r.where names, or an
// empty one if it is not in the list.
func (b *Bot) findInList(ctx context.Context, r request) (id string, err error) {
	err = pages(ctx, b, r, func(page listPage) (bool, error) {
		id = page.find(strings.TrimLeft(r.where, "@#"))
		return id != "", nil
	})
	return id, err
}

// listPage is a page of users.list or users.conversations.
type listPage struct {
	reply
	Members  []listEntry `json:"members"`
	Channels []listEntry `json:"channels"`
}

type listEntry struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Deleted bool   `json:"deleted"`
	Profile struct {
		DisplayName string `json:"display_name"`
	} `json:"profile"`
}

// find returns the id of an active person by user name or display name, or of a
// channel by its name.
func (p listPage) find(name string) string {
	for _, l := range append(p.Members, p.Channels...) {
		if !l.Deleted && (strings.EqualFold(l.Name, name) || strings.EqualFold(l.Profile.DisplayName, name)) {
			return l.ID
		}
	}
	return ""
}

// nearer returns the name of an active person that is more similar to name than best, or best.
// Up to a third of the letters may differ.
func (p listPage) nearer(name, best string) string {
	name = strings.ToLower(name)
	most := max(1, len([]rune(name))/3)
	if best != "" {
		most = min(most, alert.Distance(name, best, most)-1)
	}
	for _, l := range p.Members {
		if d := alert.Distance(name, strings.ToLower(l.Name), most); !l.Deleted && d <= most {
			best, most = l.Name, d-1
		}
	}
	return best
}

// conversationID returns the id of the conversation a job posts to, by which its
// history can be read. A #name is looked up among the conversations that the bot is
// a member of, because it can't read others.
func (b *Bot) conversationID(ctx context.Context, job alert.Job) (string, error) {
	id, err := b.address(ctx, job)
	switch {
	case err != nil:
		return "", err
	case !slackID.MatchString(id):
		return b.lookUp(ctx, id, b.findByChannelName)
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
	if err == nil {
		b.learnDM(ctx, user, opened.Channel.ID)
	}
	return opened.Channel.ID, err
}
