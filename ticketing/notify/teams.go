package notify

import (
	"strings"
	"time"
)

// teamsKind posts an adaptive card to a workflow of Teams ("When a Teams webhook
// request is received"), the successor of the retired connectors. Its answer
// names no message, so an update is a short follow-up.
var teamsKind = &kind{
	needs: []string{"url"}, may: []string{"ca"},
	http: &service{build: buildTeams},
}

// cardText escapes the little Markdown that a text block knows.
var cardText = strings.NewReplacer("*", "∗", "_", "＿", "[", "［", "]", "］", "`", "'", "\\", "＼").Replace

func buildTeams(c *Config, _ time.Time, _ string, m *Message) (*call, error) {
	type block = map[string]any
	blocks := []block{{"type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": true, "text": cardText(cut(oneLine(m.Title), maxTitle))}}
	// A request may have 28 KB; a text of 9,000 bytes stays below it in JSON.
	text := markup{escape: cardText, bold: as, limit: 9000, size: bytesOf, noTitle: true, newline: "\n"}
	plain := *m
	plain.Link = ""
	for line := range strings.SplitSeq(text.render(&plain), "\n") {
		if line != "" {
			blocks = append(blocks, block{"type": "TextBlock", "wrap": true, "spacing": "Small", "text": line})
		}
	}
	card := map[string]any{
		"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": blocks,
	}
	if m.Link != "" {
		card["actions"] = []block{{"type": "Action.OpenUrl", "title": m.LinkText, "url": m.Link}}
	}
	return post(c.URL, map[string]any{
		"type":        "message",
		"attachments": []block{{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}},
	})
}
