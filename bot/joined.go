package bot

import (
	"cmp"
	"context"
	"slices"
)

// Channel is a channel that the bot is a member of; its name has no #.
type Channel struct{ ID, Name string }

// Joined lists the channels that the bot is a member of and that are not archived, by name.
// Its error is an *alert.SendError.
func (b *Bot) Joined(ctx context.Context) ([]Channel, error) {
	var all []Channel
	args := map[string]string{"types": "public_channel,private_channel", "exclude_archived": "true", "limit": "200"}
	err := pages(ctx, b, request{"users.conversations", "", args}, func(page listPage) (bool, error) {
		for _, c := range page.Channels {
			all = append(all, Channel{c.ID, c.Name})
		}
		return false, nil
	})
	slices.SortFunc(all, func(x, y Channel) int { return cmp.Compare(x.Name, y.Name) })
	return all, err
}
