package template

import "strings"

// Language is a language that every copy is written in.
type Language uint8

// The languages. The zero Language is none.
const (
	Japanese Language = 1
	English  Language = 2
)

// Languages lists every language, in the order in which copies are written.
var Languages = []Language{Japanese, English}

// String returns the language's BCP 47 tag: "ja" or "en".
func (l Language) String() string {
	switch l {
	case Japanese:
		return "ja"
	case English:
		return "en"
	}
	return ""
}

// ParseLanguage reads what String wrote.
func ParseLanguage(tag string) (Language, bool) {
	switch tag {
	case "ja":
		return Japanese, true
	case "en":
		return English, true
	}
	return 0, false
}

// LanguageOf chooses the language for a person whose locale is a BCP 47 tag
// like "ja-JP" or "en_US": Japanese for Japanese, English for every other
// language, and fallback when the locale is not known.
func LanguageOf(locale string, fallback Language) Language {
	if locale == "" {
		return fallback
	}
	tag, _, _ := strings.Cut(strings.ReplaceAll(locale, "_", "-"), "-")
	if strings.EqualFold(tag, "ja") {
		return Japanese
	}
	return English
}
