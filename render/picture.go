package render

import (
	"fmt"
	"time"

	"github.com/go-analyze/charts"

	"tocsin/alert"
)

// The size of Picture in pixels: twice what Slack shows, for sharp screens.
const (
	pictureWidth  = 1440
	pictureHeight = 480
)

// Picture draws the course of alerts as a PNG: a bar for each bucket, stacked by
// severity. Its ground is dark, so that it looks the same in Slack's light and
// dark themes. PictureText says the same in words.
func Picture(s alert.Stats, zone *time.Location) ([]byte, error) {
	if len(s.Buckets) == 0 {
		return nil, fmt.Errorf("draw chart: it has no buckets")
	}
	used := severitiesOf(s.Buckets)
	values, names := make([][]float64, len(used)), make([]string, len(used))
	for n, severity := range used {
		names[n] = severityWord(severity)
		for _, b := range s.Buckets {
			values[n] = append(values[n], float64(b.BySeverity[severity]))
		}
	}
	if len(used) == 0 {
		values, names = [][]float64{make([]float64, len(s.Buckets))}, []string{"Alerts"}
	}
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputPNG, Width: pictureWidth, Height: pictureHeight, Theme: pictureTheme(used)})
	if err := p.BarChart(pictureOption(s, zone, values, names)); err != nil {
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
	opt.Title.Text = chartTitle(s.Buckets, s.Till) + ", " + zoneName(zone)
	opt.Title.FontStyle = charts.NewFontStyleWithSize(20)
	opt.Legend.SeriesNames = names
	opt.Legend.FontStyle = charts.NewFontStyleWithSize(18)
	opt.Legend.Offset = charts.OffsetRight
	opt.Legend.Symbol = charts.SymbolSquare
	opt.CategoryAxis.Labels = labels(s.Buckets, s.Till, zone)
	opt.CategoryAxis.LabelFontStyle = charts.NewFontStyleWithSize(16)
	opt.ValueAxis[0].LabelFontStyle = charts.NewFontStyleWithSize(16)
	opt.ValueAxis[0].Min = charts.Ptr(0.0)
	opt.StackSeries = charts.Ptr(true)
	opt.ValueFormatter = func(f float64) string { return fmt.Sprintf("%.0f", f) }
	return opt
}

// pictureTheme has the colours of the cards' bars on a dark ground.
func pictureTheme(used []alert.Severity) charts.ColorPalette {
	text, line := charts.ColorFromHex("#D5D9DE"), charts.ColorFromHex("#3A414B")
	var series []charts.Color
	for _, severity := range used {
		series = append(series, charts.ColorFromHex(colour(alert.Incident{Severity: severity})))
	}
	return charts.MakeTheme(charts.ThemeOption{
		IsDarkMode: true, BackgroundColor: charts.ColorFromHex("#1E232A"), TextColor: text,
		AxisStrokeColor: line, AxisSplitLineColor: line, SeriesColors: series,
	})
}
