package rule

import "strings"

// functionHelp shows how each function is written.
var functionHelp = map[string]string{
	"count":      `count("Product Viewed", "7d")`,
	"sum":        `sum("Product Added", "price * quantity", "session")`,
	"min":        `min("Product Viewed", "price", "7d")`,
	"max":        `max("Product Viewed", "price", "7d")`,
	"avg":        `avg("Product Viewed", "price", "7d")`,
	"first":      `first("Page Viewed", "path", "session")`,
	"last":       `last("Page Viewed", "path", "session")`,
	"distinct":   `distinct("Product Viewed", "product_id", "7d")`,
	"top":        `top("Product Viewed", "category", 3, "30d")`,
	"recent":     `recent("Product Viewed", "product_id", 5, "30d")`,
	"since":      `since("Order Completed")`,
	"seconds":    "seconds(30)",
	"minutes":    "minutes(30)",
	"hours":      "hours(2)",
	"days":       "days(10)",
	"segment":    `segment("vip")`,
	"has":        "has(traits.plan)",
	"size":       "size(traits.tags)",
	"contains":   `x.contains("text")`,
	"startsWith": `x.startsWith("text")`,
	"endsWith":   `x.endsWith("text")`,
	"matches":    `x.matches("^[0-9]+$")`,
	"exists":     "x.exists(e, e.price > 1000)",
	"all":        "x.all(e, e.price > 1000)",
	"exists_one": "x.exists_one(e, e.price > 1000)",
}

// nearest returns the candidate that is a slip of the finger away from name,
// "" when none is.
func nearest(name string, candidates []string) string {
	best, least := "", 1+len(name)/3
	for _, c := range candidates {
		d := distance(strings.ToLower(name), strings.ToLower(c))
		if d > 1 && name[:min(1, len(name))] != c[:min(1, len(c))] {
			continue // two slips, the first letter among them, are another word
		}
		if d < len(c) && (d < least || d == least && best == "") {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete or change to get from a
// to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
