package render

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"strconv"
	"time"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"tocsin/alert"
)

// The sizes of Picture in pixels: about twice what Slack shows, for sharp screens.
const (
	pictureWidth  = 1000
	pictureHeight = 400
	pictureMargin = 28
	textSize      = 23
)

// The colours of Picture beside those of the severities.
const (
	pictureBackground = "#1E232A"
	pictureText       = "#D5D9DE"
	pictureLine       = "#3A414B"
)

// Picture draws alerts over time as a PNG: a bar for each bucket, stacked by
// severity; the block that shows it has the title. Its background is dark, so that
// it looks the same in Slack's light and dark themes. PictureText says the same in
// words.
func Picture(s alert.Stats, zone *time.Location) ([]byte, error) {
	if len(s.Buckets) == 0 {
		return nil, fmt.Errorf("draw chart: it has no buckets")
	}
	p, err := newPainter()
	if err != nil {
		return nil, fmt.Errorf("draw chart: %w", err)
	}
	used := severitiesOf(s.Buckets)
	step, steps := scale(s.Buckets)
	numbers := make([]string, steps+1)
	left := 0
	for n := range numbers {
		numbers[n] = strconv.FormatFloat(step*float64(n), 'f', 0, 64)
		left = max(left, p.width(numbers[n]))
	}
	plot := image.Rect(pictureMargin+left+textSize/2, pictureMargin+5*textSize/2, pictureWidth-pictureMargin, pictureHeight-pictureMargin-textSize-8)
	p.legend(used)
	for n, number := range numbers {
		y := plot.Max.Y - n*plot.Dy()/steps
		p.fill(image.Rect(plot.Min.X, y, plot.Max.X, y+1), pictureLine)
		p.write(number, plot.Min.X-textSize/2-p.width(number), y+textSize/3)
	}
	times := sparse(labels(s.Buckets, s.Until, zone))
	for n, b := range s.Buckets {
		from, to := plot.Min.X+n*plot.Dx()/len(s.Buckets), plot.Min.X+(n+1)*plot.Dx()/len(s.Buckets)
		gap := (to - from) / 6
		sum, y := 0.0, plot.Max.Y
		for _, severity := range used {
			sum += float64(b.BySeverity[severity])
			top := plot.Max.Y - int(math.Round(sum/(step*float64(steps))*float64(plot.Dy())))
			p.fill(image.Rect(from+gap, top, to-gap, y), colour(alert.Incident{Severity: severity}))
			y = top
		}
		middle := (from+to)/2 - p.width(times[n])/2
		p.write(times[n], min(max(middle, 0), pictureWidth-p.width(times[n])), pictureHeight-pictureMargin)
	}
	var written bytes.Buffer
	if err := png.Encode(&written, p); err != nil {
		return nil, fmt.Errorf("write chart: %w", err)
	}
	return written.Bytes(), nil
}

// painter draws a Picture.
type painter struct {
	*image.RGBA
	face font.Face
}

func newPainter() (painter, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return painter{}, err
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: textSize, DPI: 72, Hinting: font.HintingFull})
	p := painter{image.NewRGBA(image.Rect(0, 0, pictureWidth, pictureHeight)), face}
	p.fill(p.Rect, pictureBackground)
	return p, err
}

// legend says which colour is which severity, above the bars.
func (p painter) legend(used []alert.Severity) {
	x := pictureMargin
	for _, severity := range used {
		p.fill(image.Rect(x, pictureMargin, x+textSize, pictureMargin+textSize), colour(alert.Incident{Severity: severity}))
		word := severityWord(severity)
		p.write(word, x+textSize+10, pictureMargin+textSize-3)
		x += textSize + 10 + p.width(word) + pictureMargin
	}
}

// fill paints an area in a colour such as "#3B7DD8".
func (p painter) fill(area image.Rectangle, hex string) {
	draw.Draw(p, area, paint(hex), image.Point{}, draw.Src)
}

// write puts text to the right of x, its baseline at y.
func (p painter) write(text string, x, y int) {
	d := font.Drawer{Dst: p, Src: paint(pictureText), Face: p.face, Dot: fixed.P(x, y)}
	d.DrawString(text)
}

func (p painter) width(text string) int { return font.MeasureString(p.face, text).Ceil() }

func paint(hex string) image.Image {
	rgb, _ := strconv.ParseUint(hex[1:], 16, 32) // each is a constant
	return image.NewUniform(color.RGBA{R: uint8(rgb >> 16), G: uint8(rgb >> 8), B: uint8(rgb), A: 255})
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
