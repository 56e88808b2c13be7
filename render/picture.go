package render

import (
	"fmt"
	"math"
	"time"

	"github.com/go-analyze/charts"

	"tocsin/alert"
)

// The size of Picture in pixels: about twice what Slack shows, for sharp screens.
const (
	pictureWidth  = 1000
	pictureHeight = 400
)

// Picture draws alerts over time as a PNG: a bar for each bucket, stacked by
// severity; the block that shows it has the title. Its background is dark, so that
// it looks the same in Slack's light and dark themes. PictureText says the same in
// words.
func Picture(s alert.Stats, zone *time.Location) ([]byte, error) {
	if len(s.Buckets) == 0 {
		return nil, fmt.Errorf("draw chart: it has no buckets")
	}
	used := severitiesOf(s.Buckets)
	values, names := make([][]float64, len(used)), make([]string, len(used))
	for n, severity := range used {
		names[n] = " " + severityWord(severity)
		for _, b := range s.Buckets {
			values[n] = append(values[n], float64(b.BySeverity[severity]))
		}
	}
	if len(used) == 0 {
		values, names = [][]float64{make([]float64, len(s.Buckets))}, []string{"Alerts"}
	}
	theme := pictureTheme(used)
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputPNG, Width: pictureWidth, Height: pictureHeight, Theme: theme})
	opt := pictureOption(s, zone, values, names)
	opt.Theme = theme
	if err := p.BarChart(opt); err != nil {
		return nil, fmt.Errorf("draw chart: %w", err)
	}
	png, err := p.Bytes()
	if err != nil {
		return nil, fmt.Errorf("write chart: %w", err)
	}
	return png, nil
}

func pictureOption(s alert.Stats, zone *time.Location, values [][]float64, names []string) charts.BarChartOption {
	opt := charts.NewBarChartOptionWithData(values)
	opt.Padding = charts.NewBoxEqual(28)
	opt.Legend.SeriesNames = names
	opt.Legend.FontStyle = charts.NewFontStyleWithSize(18)
	opt.Legend.Offset = charts.OffsetLeft
	opt.Legend.Padding = charts.NewBox(0, 0, 0, 24)
	opt.Legend.Symbol = charts.SymbolSquare
	opt.CategoryAxis.Labels = sparse(labels(s.Buckets, s.Until, zone))
	opt.CategoryAxis.LabelCount = len(s.Buckets)
	opt.CategoryAxis.BoundaryGap = charts.Ptr(true) // else the labels of many bars are not under them
	opt.CategoryAxis.LabelFontStyle = charts.NewFontStyleWithSize(18)
	step, steps := scale(s.Buckets)
	opt.ValueAxis[0].Min, opt.ValueAxis[0].Max = charts.Ptr(0.0), charts.Ptr(step*float64(steps))
	opt.ValueAxis[0].LabelCount = steps + 1
	opt.ValueAxis[0].LabelFontStyle = charts.NewFontStyleWithSize(18)
	opt.StackSeries = charts.Ptr(true)
	opt.ValueFormatter = func(f float64) string { return fmt.Sprintf("%.0f", f) }
	return opt
}

// sparse blanks labels until the others have room side by side.
func sparse(names []string) []string {
	const room = 65 // characters in the width of a picture
	widest := 1
	for _, name := range names {
		widest = max(widest, len([]rune(name))+2)
	}
	every := (len(names)*widest + room - 1) / room
	for n := range names {
		if n%every != 0 {
			names[n] = ""
		}
	}
	return names
}

// scale divides the height into steps of 1, 2 or 5 times a power of ten, all of
// them whole numbers, up to above the highest bar.
func scale(buckets []alert.Bucket) (step float64, steps int) {
	const most = 5
	highest := 4.0 // so that a single alert does not fill the height
	for _, b := range buckets {
		sum := 0.0
		for _, n := range b.BySeverity {
			sum += float64(n)
		}
		highest = max(highest, sum)
	}
	for power := 1.0; ; power *= 10 {
		for _, factor := range []float64{1, 2, 5} {
			if step = factor * power; step*most >= highest {
				return step, int(math.Ceil(highest / step))
			}
		}
	}
}

// pictureTheme has the colours of the cards' bars on a dark background.
func pictureTheme(used []alert.Severity) charts.ColorPalette {
	text, line := charts.ColorFromHex("#D5D9DE"), charts.ColorFromHex("#3A414B")
	series := make([]charts.Color, 0, len(used)+1)
	for _, severity := range used {
		series = append(series, charts.ColorFromHex(colour(alert.Incident{Severity: severity})))
	}
	return charts.MakeTheme(charts.ThemeOption{
		IsDarkMode: true, BackgroundColor: charts.ColorFromHex("#1E232A"), TextColor: text,
		AxisStrokeColor: line, AxisSplitLineColor: line, SeriesColors: append(series, charts.ColorFromHex(colourInfo)),
	})
}
