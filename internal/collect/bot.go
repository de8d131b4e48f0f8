package collect

import (
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// robots are parts of the user agents of programs that read pages for nobody in
// particular: search engines, link previews, monitors, archivers, scrapers. A
// browser without a screen and a library that speaks HTTP are not among them:
// somebody's test, kiosk or app may well be one.
var robots = []string{
	"googlebot", "bingbot", "yandexbot", "baiduspider", "duckduckbot", "applebot", "petalbot", "sogou", "exabot", "slurp",
	"adsbot", "mediapartners-google", "google-inspectiontool", "googleother", "storebot-google", "feedfetcher", "google-read-aloud",
	"facebookexternalhit", "facebot", "meta-externalagent", "twitterbot", "linkedinbot", "slackbot", "discordbot", "telegrambot",
	"whatsapp/", "skypeuripreview", "line-poker", "pinterestbot", "embedly", "redditbot", "hatena", "mastodon/",
	"ahrefsbot", "semrushbot", "mj12bot", "dotbot", "dataforseobot", "screaming frog", "siteauditbot", "seokicks",
	"gptbot", "oai-searchbot", "chatgpt-user", "claudebot", "claude-web", "anthropic-ai", "perplexitybot", "ccbot", "bytespider", "amazonbot", "cohere-ai", "diffbot",
	"uptimerobot", "pingdom", "statuscake", "site24x7", "datadogsynthetics", "newrelicpinger", "gtmetrix", "lighthouse", "pagespeed", "ptst/",
	"archive.org_bot", "ia_archiver", "heritrix", "nutch", "scrapy",
	"httrack", "phantomjs", "crawler", "spider", "bot/", "bot;", "bot)", "+http",
}

// beginnings tells which bytes, in lower case, a robot's part can begin with.
var beginnings = func() (set [256][]string) {
	for _, r := range robots {
		set[r[0]] = append(set[r[0]], r)
	}
	return set
}()

// agentMemory remembers the last user agent that was judged: the events of one
// request mostly come from one browser.
type agentMemory struct {
	agent []byte
	robot bool
}

// isBot judges by the user agent in the context; for a browser key that gives
// none, by that of the request.
func (c *Collector) isBot(raw []byte) bool {
	agent := cx.ParseValue(raw).Str()
	if agent == "" && c.from.Kind == cx.BrowserKey {
		agent = c.from.UserAgent
	}
	if agent == "" {
		return false
	}
	if agent != string(c.agent.agent) {
		c.agent.agent = append(c.agent.agent[:0], agent...)
		c.agent.robot = Robot(agent)
	}
	return c.agent.robot
}

// Robot reports whether a user agent is that of a known robot.
func Robot(agent string) bool {
	for i := range len(agent) {
		for _, part := range beginnings[lower(agent[i])] {
			if len(agent)-i >= len(part) && strings.EqualFold(agent[i:i+len(part)], part) {
				return true
			}
		}
	}
	return false
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
