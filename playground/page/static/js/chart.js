// chart.js draws the data_visualization block: bars, lines and areas over categories,
// and pies, as SVG in the colours of the theme. The same numbers are in its label for
// people who do not see it, and in a tip over each category.

import { h, replace } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 240;
const FONT = 6.4; // width of a character, roughly

function s(tag, attributes, ...children) {
  const el = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, value);
  el.append(...children);
  return el;
}

const number = (v) => Number(v).toLocaleString(undefined, { maximumFractionDigits: 2 });
const round = (v) => Math.round(v * 10) / 10;
const tone = (i) => `tone-${(i % 6) + 1}`;

/** ticks are the round values of an axis that spans least to most; zero is always on it. */
export function ticks(least, most, count = 4) {
  const [from, to] = [Math.min(0, least), Math.max(0, most)];
  const rough = (to - from || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((candidate) => candidate >= rough * 0.999);
  const first = Math.floor(from / step + 1e-9);
  const last = Math.max(Math.ceil(to / step - 1e-9), first + 1);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

const clip = (words, most) => (words.length <= most ? words : `${words.slice(0, Math.max(most - 1, 1))}…`);

// frame is where things are: x and width of a category, y of a value.
function frame(chart, width) {
  const categories = chart.axis_config?.categories ?? [];
  const values = chart.series.flatMap((one) => one.data.map((point) => point.value));
  const marks = ticks(Math.min(...values), Math.max(...values));
  const labels = marks.map(number);
  const left = Math.max(...labels.map((label) => label.length)) * FONT + 14 + (chart.axis_config?.y_label ? 18 : 0);
  const bottom = 26 + (chart.axis_config?.x_label ? 18 : 0);
  const box = { left, right: width - 8, top: 10, bottom: HEIGHT - bottom };
  const slot = (box.right - box.left) / Math.max(categories.length, 1);
  const [low, high] = [marks[0], marks[marks.length - 1]];
  return {
    ...box, slot, categories, marks, labels, width,
    x: (i) => box.left + slot * (i + 0.5),
    y: (v) => box.bottom - ((v - low) / (high - low)) * (box.bottom - box.top),
  };
}

// valueOf finds a series' value by label: points come in the order they were given.
const valueOf = (one, category) => one.data.find((point) => point.label === category)?.value ?? 0;

function axes(f, config) {
  const out = f.marks.map((mark, i) => s("g", {},
    s("line", { class: mark === 0 ? "chart-zero" : "chart-grid", x1: f.left, x2: f.right, y1: round(f.y(mark)), y2: round(f.y(mark)) }),
    s("text", { class: "chart-word", x: f.left - 8, y: round(f.y(mark)) + 4, "text-anchor": "end" }, f.labels[i])));
  const longest = Math.max(...f.categories.map((name) => name.length), 1) * FONT + 8;
  const every = f.categories.length > 6 ? Math.max(1, Math.ceil(longest / f.slot)) : 1;
  f.categories.forEach((name, i) => {
    if (i % every === 0) out.push(s("text", { class: "chart-word", x: round(f.x(i)), y: f.bottom + 18, "text-anchor": "middle" }, clip(name, Math.floor((f.slot * every) / FONT))));
  });
  if (config.x_label) out.push(s("text", { class: "chart-word chart-axis", x: round((f.left + f.right) / 2), y: HEIGHT - 5, "text-anchor": "middle" }, config.x_label));
  if (config.y_label) out.push(s("text", { class: "chart-word chart-axis", transform: `translate(12 ${round((f.top + f.bottom) / 2)}) rotate(-90)`, "text-anchor": "middle" }, config.y_label));
  return out;
}

function bars(chart, f) {
  const group = Math.min(f.slot * 0.76, 26 * chart.series.length);
  const width = group / chart.series.length;
  return chart.series.flatMap((one, n) => f.categories.map((name, i) => {
    const value = valueOf(one, name);
    const [top, foot] = [f.y(Math.max(value, 0)), f.y(Math.min(value, 0))];
    return s("rect", { class: `chart-bar ${tone(n)}`, x: round(f.x(i) - group / 2 + n * width), width: Math.max(round(width - (width > 6 ? 2 : 0.5)), 1), y: round(top), height: Math.max(round(foot - top), value ? 1 : 0), rx: width > 8 ? 2 : 0 });
  }));
}

function curves(chart, f) {
  return chart.series.flatMap((one, n) => {
    const points = f.categories.map((name, i) => [round(f.x(i)), round(f.y(valueOf(one, name)))]);
    const path = points.map(([x, y], i) => `${i ? "L" : "M"}${x} ${y}`).join("");
    const out = [];
    if (chart.type === "area" && points.length) out.push(s("path", { class: `chart-area ${tone(n)}`, d: `${path}L${points[points.length - 1][0]} ${round(f.y(0))}L${points[0][0]} ${round(f.y(0))}Z` }));
    out.push(s("path", { class: `chart-line ${tone(n)}`, d: path }), ...points.map(([x, y]) => s("circle", { class: `chart-dot ${tone(n)}`, cx: x, cy: y, r: 3 })));
    return out;
  });
}

// tips are unseen columns that say a category's numbers under the pointer.
function tips(chart, f) {
  return f.categories.map((name, i) => s("rect", { class: "chart-tip", x: round(f.x(i) - f.slot / 2), y: f.top, width: round(f.slot), height: f.bottom - f.top },
    s("title", {}, [name, ...chart.series.map((one) => `${one.name}: ${number(valueOf(one, name))}`)].join("\n"))));
}

function plot(chart, width) {
  const f = frame(chart, width);
  return s("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, "aria-hidden": "true", focusable: "false" },
    ...axes(f, chart.axis_config ?? {}), ...(chart.type === "bar" ? bars(chart, f) : curves(chart, f)), ...tips(chart, f));
}

function slicePath(from, to, r) {
  const at = (turn) => [round(r + r * Math.sin(turn * 2 * Math.PI)), round(r - r * Math.cos(turn * 2 * Math.PI))];
  const [x1, y1] = at(from);
  const [x2, y2] = at(to);
  return `M${r} ${r}L${x1} ${y1}A${r} ${r} 0 ${to - from > 0.5 ? 1 : 0} 1 ${x2} ${y2}Z`;
}

function pie(chart) {
  const r = 90;
  const total = chart.segments.reduce((sum, one) => sum + one.value, 0);
  let turn = 0;
  const slices = chart.segments.map((one, n) => {
    const from = turn;
    turn += one.value / total;
    const shape = chart.segments.length === 1 ? s("circle", { class: `chart-slice ${tone(n)}`, cx: r, cy: r, r }) : s("path", { class: `chart-slice ${tone(n)}`, d: slicePath(from, turn, r) });
    shape.append(s("title", {}, `${one.label}: ${number(one.value)}`));
    return shape;
  });
  const svg = s("svg", { viewBox: `-1 -1 ${2 * r + 2} ${2 * r + 2}`, width: 2 * r, height: 2 * r, "aria-hidden": "true", focusable: "false" }, ...slices);
  const names = chart.segments.map((one, n) => key(n, one.label, `${number(one.value)} · ${Math.round((one.value / total) * 100)} %`));
  return h("div.chart-pie", null, svg, h("ul.chart-keys.chart-keys-list", null, names));
}

function key(n, name, value) {
  return h("li.chart-key", null, h("span.chart-swatch", { class: tone(n) }), name, value ? h("span.chart-value", null, value) : null);
}

/** spoken is a chart's content in words. */
export function spoken(block) {
  const { chart } = block;
  if (chart.type === "pie") return `${block.title}, pie chart: ${chart.segments.map((one) => `${one.label} ${number(one.value)}`).join(", ")}`;
  const rows = chart.series.map((one) => `${one.name}: ${one.data.map((point) => `${point.label} ${number(point.value)}`).join(", ")}`);
  return `${block.title}, ${chart.type} chart. ${rows.join(". ")}`;
}

/** chart draws a data_visualization block; it fits itself to the width it is given. */
export function chart(block) {
  const what = block.chart;
  const body = h("div.chart-body", { role: "img", "aria-label": spoken(block) });
  if (what.type === "pie") replace(body, pie(what));
  else fit(body, what);
  const keys = what.type === "pie" || (what.series.length === 1 && what.series[0].name === block.title) ? null : h("ul.chart-keys", { "aria-hidden": "true" }, what.series.map((one, n) => key(n, one.name)));
  return h("figure.block-chart", { "data-testid": "chart", "data-chart": what.type }, h("figcaption.chart-title", null, block.title), body, keys);
}

// fit draws when the width is known, and again when it changes.
function fit(body, what) {
  let drawn = 0;
  new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width < 60 || width === drawn) return;
    drawn = width;
    replace(body, plot(what, width));
  }).observe(body);
}
