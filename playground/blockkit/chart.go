package blockkit

import (
	"encoding/json"
	"fmt"
	"math"
)

// Limits of the data_visualization block as its reference has them, in characters where they are about words. That a message holds two
// at most is not in the reference; it is what Slack has been seen to answer.
const (
	maxCharts     = 2
	maxChartTitle = 50
	maxChartLabel = 20
	maxSeries     = 6
	maxPoints     = 20
)

// chartBlock checks a data_visualization block: a pie of segments, or bars, areas or lines of series over the same categories.
func (c *checker) chartBlock(o object) {
	if c.charts++; c.charts > maxCharts {
		c.fail(o.at, "no more than %d data_visualization blocks allowed", maxCharts)
	}
	c.need(o, "title", maxChartTitle)
	chart, ok := c.child(o, "chart")
	if !ok {
		if o.fields["chart"] == nil {
			c.missing(o, "chart")
		}
		return
	}
	switch kind, _ := chart.fields["type"].(string); kind {
	case "pie":
		c.properties(chart, "segments")
		c.segments(chart)
	case "bar", "area", "line":
		c.properties(chart, "series axis_config")
		c.series(chart, c.categories(chart))
	default:
		c.fail(chart.at+"/type", "must be a valid enum value")
	}
}

// segments checks the slices of a pie, each of which has to be above zero.
func (c *checker) segments(chart object) {
	for i, s := range c.list(chart, "segments", 1, maxSeries) {
		slice, ok := c.asObject(s, fmt.Sprintf("%s/segments/%d", chart.at, i))
		if !ok {
			continue
		}
		c.need(slice, "label", maxChartLabel)
		if value, ok := c.number(slice, "value"); ok && value <= 0 {
			c.fail(slice.at+"/value", "must be greater than 0")
		}
	}
}

// categories checks axis_config and returns its categories.
func (c *checker) categories(chart object) map[string]bool {
	axis, ok := c.child(chart, "axis_config")
	if !ok {
		if chart.fields["axis_config"] == nil {
			c.missing(chart, "axis_config")
		}
		return nil
	}
	c.properties(axis, "categories x_label y_label")
	c.str(axis, "x_label", 0, maxChartTitle)
	c.str(axis, "y_label", 0, maxChartTitle)
	known := map[string]bool{}
	for i, v := range c.list(axis, "categories", 1, maxPoints) {
		at := fmt.Sprintf("%s/categories/%d", axis.at, i)
		name, ok := v.(string)
		if !ok {
			c.fail(at, "must be a string")
			continue
		}
		c.length(name, at, 1, maxChartLabel)
		if known[name] {
			c.fail(at, "must be unique")
		}
		known[name] = true
	}
	return known
}

// series checks that each has a name of its own and one point for every category.
func (c *checker) series(chart object, categories map[string]bool) {
	names := map[string]bool{}
	for i, s := range c.list(chart, "series", 1, maxSeries) {
		one, ok := c.asObject(s, fmt.Sprintf("%s/series/%d", chart.at, i))
		if !ok {
			continue
		}
		name := c.need(one, "name", maxChartLabel)
		if names[name] {
			c.fail(one.at+"/name", "must be unique")
		}
		names[name] = true
		c.points(one, categories)
	}
}

func (c *checker) points(series object, categories map[string]bool) {
	seen := map[string]bool{}
	for i, p := range c.list(series, "data", 1, maxPoints) {
		point, ok := c.asObject(p, fmt.Sprintf("%s/data/%d", series.at, i))
		if !ok {
			continue
		}
		label := c.need(point, "label", maxChartLabel)
		if !categories[label] || seen[label] {
			c.fail(point.at+"/label", "must match one of the categories, each once")
		}
		seen[label] = true
		c.number(point, "value")
	}
	if len(seen) < len(categories) {
		c.fail(series.at+"/data", "must have a point for every category")
	}
}

// number checks a required finite number.
func (c *checker) number(o object, key string) (float64, bool) {
	v, there := o.fields[key]
	if !there || v == nil {
		c.missing(o, key)
		return 0, false
	}
	written, ok := v.(json.Number)
	value, err := written.Float64()
	if !ok || err != nil || math.IsInf(value, 0) {
		c.fail(o.at+"/"+key, "must be a number")
		return 0, false
	}
	return value, true
}
