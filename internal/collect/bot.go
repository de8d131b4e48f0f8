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

// ordinary is what the user agents of browsers are made of.
const ordinary = "mozilla/5.0 (windows nt 10.0; win64; x64; rv:146.0) (macintosh; intel mac os x 10_15_7) (iphone; cpu iphone os 19_1 like mac os x) " +
	"(ipad; cpu os (linux; android 16; pixel 11) (linux; android 10; k) (x11; linux x86_64) gecko/20100101 firefox/146.0 " +
	"applewebkit/537.36 (khtml, like gecko) chrome/156.0.0.0 mobile safari/604.1 version/19.1 mobile/15e148 edg/156.0.0.0 opr/ samsungbrowser/ line/"

// pairs is a set of pairs of bytes.
type pairs [128][2]uint64

func (p *pairs) has(a, b byte) bool { return p[a&127][b>>6&1]>>(b&63)&1 != 0 }

func (p *pairs) add(a, b byte) { p[a&127][b>>6&1] |= 1 << (b & 63) }

// marks holds a pair of bytes of each robot's part, in upper and lower case,
// that the user agents of browsers do not have, where there is one. Whoever has
// none of them is no robot.
var marks = func() (set pairs) {
	for _, r := range robots {
		mark := r[:2]
		for i := range len(r) - 1 {
			if !strings.Contains(ordinary, r[i:i+2]) {
				mark = r[i : i+2]
				break
			}
		}
		for _, a := range [...]byte{mark[0], upper(mark[0])} {
			set.add(a, mark[1])
			set.add(a, upper(mark[1]))
		}
	}
	return set
}()

// agentMemory remembers a few user agents that were judged, one of each length
// modulo the size: the same browsers come again and again.
type agentMemory [8]struct {
	agent []byte
	robot bool
}

// isBot judges by the user agent in the context; for a browser key that gives
// none, by that of the request.
func (c *Collector) isBot(raw []byte) bool {
	agent := c.textOf(raw)
	if agent == "" && c.from.Kind == cx.BrowserKey {
		agent = c.from.UserAgent
	}
	if agent == "" {
		return false
	}
	known := &c.agents[len(agent)%len(c.agents)]
	if agent != string(known.agent) {
		known.agent = append(known.agent[:0], agent...)
		known.robot = Robot(agent)
	}
	return known.robot
}

// Robot reports whether a user agent is that of a known robot.
func Robot(agent string) bool {
	if !suspect(agent) {
		return false
	}
	for i := range len(agent) {
		for _, part := range beginnings[lower(agent[i])] {
			if len(agent)-i >= len(part) && strings.EqualFold(agent[i:i+len(part)], part) {
				return true
			}
		}
	}
	return false
}

// suspect reports whether agent holds any of the marks.
func suspect(agent string) bool {
	for i := range len(agent) - 1 {
		if marks.has(agent[i], agent[i+1]) {
			return true
		}
	}
	return false
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
