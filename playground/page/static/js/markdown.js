// markdown.js draws the markdown block: the common part of standard Markdown.

import { h } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { link } from "./mrkdwn.js";

const RULES = [
  [/`([^`\n]+)`/, (m) => h("code", null, m[1])],
  [/!?\[([^\]\n]*)\]\(([^)\s]+)\)/, (m) => link(m[2], spans(m[1] || m[2]))],
  [/\*\*(\S(?:.*?\S)?)\*\*/, (m) => h("b", null, spans(m[1]))],
  [/~~(\S(?:.*?\S)?)~~/, (m) => h("s", null, spans(m[1]))],
  [/(?<![\p{L}\p{N}_*])[*_](?=\S)([^*_\n]*[^*_\s])[*_](?![\p{L}\p{N}])/u, (m) => h("i", null, spans(m[1]))],
  [/https?:\/\/[^\s<>"'`]+[^\s<>"'`.,;:!?)\]}]/, (m) => link(m[0], null)],
];

// spans gives the nodes of one line's inline marks: the earliest rule wins.
function spans(text) {
  let best = null;
  for (const [pattern, make] of RULES) {
    const match = pattern.exec(text);
    if (match && (!best || match.index < best.match.index)) best = { match, make };
  }
  if (!best) return withEmoji(text);
  const { match, make } = best;
  return [...withEmoji(text.slice(0, match.index)), make(match), ...spans(text.slice(match.index + match[0].length))].flat();
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

// Each taker reads lines from the front and returns a node, or null when it does not apply.
const TAKERS = [
  function fence(lines) {
    if (!/^\s*```/.test(lines[0])) return null;
    lines.shift();
    const body = [];
    while (lines.length && !/^\s*```/.test(lines[0])) body.push(lines.shift());
    lines.shift();
    return h("pre.code-block", null, body.join("\n"));
  },
  function heading(lines) {
    const found = /^(#{1,6})\s+(.*)$/.exec(lines[0]);
    if (!found) return null;
    lines.shift();
    return h(`h${Math.min(found[1].length + 2, 6)}.md-heading`, null, spans(found[2].replace(/\s#+$/, "")));
  },
  function rule(lines) {
    if (!/^\s*([-*_])(\s*\1){2,}\s*$/.test(lines[0])) return null;
    lines.shift();
    return h("hr.block-divider");
  },
  function quote(lines) {
    if (!/^\s*>/.test(lines[0])) return null;
    const body = [];
    while (lines.length && /^\s*>/.test(lines[0])) body.push(lines.shift().replace(/^\s*> ?/, ""));
    return h("blockquote", null, markdown(body.join("\n")));
  },
  function list(lines) {
    const mark = /^(\s*)(?:[-*+]|(\d+)[.)])\s+(.*)$/;
    const first = mark.exec(lines[0]);
    if (!first) return null;
    const el = h(first[2] ? "ol" : "ul", { class: "md-list", start: first[2] });
    for (let m; lines.length && (m = mark.exec(lines[0])); lines.shift()) {
      el.append(h("li", { class: m[1].length >= 2 ? "indent-1" : "" }, spans(m[3])));
    }
    return el;
  },
  function table(lines) {
    if (!/\|/.test(lines[0]) || !/^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(lines[1] ?? "")) return null;
    const head = h("tr", null, cells(lines.shift()).map((cell) => h("th", { scope: "col" }, spans(cell))));
    lines.shift();
    const rows = [];
    while (lines.length && lines[0].includes("|")) rows.push(h("tr", null, cells(lines.shift()).map((cell) => h("td", null, spans(cell)))));
    return h("div.table-scroll", { tabindex: "0", role: "region", "aria-label": "Table" }, h("table.block-table", null, h("thead", null, head), h("tbody", null, rows)));
  },
];

/** markdown gives the nodes of a Markdown text. */
export function markdown(text) {
  const lines = String(text ?? "").split("\n");
  const out = [];
  while (lines.length) {
    if (!lines[0].trim()) {
      lines.shift();
      continue;
    }
    let node = null;
    for (const take of TAKERS) if ((node = take(lines))) break;
    out.push(node ?? paragraph(lines));
  }
  return out;
}

function paragraph(lines) {
  const body = [lines.shift()];
  while (lines.length && lines[0].trim() && !/^(\s*(```|>|[-*+]\s|\d+[.)]\s)|#{1,6}\s)/.test(lines[0])) body.push(lines.shift());
  return h("p.md-paragraph", null, spans(body.join("\n")));
}
