// richtext.js draws rich_text blocks and table blocks. Text elements are literal:
// marks typed inside them mean nothing.

import { h } from "./dom.js";
import { emoji, withEmoji } from "./emoji.js";
import { broadcast, channelLink, date, groupMention, link, userMention } from "./mrkdwn.js";

const STYLES = { bold: "b", italic: "i", strike: "s", underline: "u", code: "code", highlight: "mark" };

function styled(node, style) {
  let out = node;
  for (const [name, tag] of Object.entries(STYLES)) if (style?.[name]) out = h(tag, null, out);
  return out;
}

const INLINE = {
  text: (el) => withEmoji(el.text ?? "", false),
  link: (el) => link(el.url ?? "", el.text ? withEmoji(el.text, false) : null),
  emoji: (el) => emoji(el.name) ?? `:${el.name}:`,
  user: (el, ctx) => userMention(el.user_id, ctx),
  channel: (el, ctx) => channelLink(el.channel_id, ctx),
  usergroup: (el, ctx) => groupMention(el.usergroup_id, ctx),
  broadcast: (el) => broadcast(el.range),
  date: (el) => date([el.timestamp, el.format, el.url].filter(Boolean).join("^"), el.fallback),
  color: (el) => h("span.colour-chip", null, h("span.colour-swatch", { vars: { "--swatch": /^#[0-9a-f]{3,8}$/i.test(el.value) ? el.value : "transparent" } }), el.value),
};

function inlines(elements, ctx) {
  return (elements ?? []).map((el) => {
    const make = INLINE[el.type];
    return make ? styled(make(el, ctx), el.style) : (el.text ?? "");
  });
}

const plainOf = (elements) => (elements ?? []).map((el) => el.text ?? el.url ?? "").join("");

const SECTIONS = {
  rich_text_section: (el, ctx) => h("div.rich-section", null, inlines(el.elements, ctx)),
  rich_text_preformatted: (el) => h("pre.code-block", null, plainOf(el.elements)),
  rich_text_quote: (el, ctx) => h("blockquote", null, inlines(el.elements, ctx)),
  rich_text_list: (el, ctx) =>
    h(el.style === "ordered" ? "ol" : "ul", { class: `rich-list indent-${Math.min(el.indent ?? 0, 5)}`, start: el.offset ? el.offset + 1 : null },
      (el.elements ?? []).map((item) => h("li", null, inlines(item.elements, ctx)))),
};

/** richText draws one rich_text block. */
export function richText(block, ctx) {
  return h("div.rich-text", null, (block.elements ?? []).map((el) => SECTIONS[el.type]?.(el, ctx) ?? null));
}

function cell(data, settings, head, ctx) {
  const content = data?.type === "rich_text" ? richText(data, ctx) : withEmoji(String(data?.text ?? data?.value ?? ""), false);
  const align = settings?.align ?? (data?.type === "raw_number" ? "right" : "left");
  return h(head ? "th" : "td", { class: `align-${align}${settings?.is_wrapped ? " wrapped" : ""}`, scope: head ? "col" : null }, content);
}

/** table draws a table block; its first row is the head. */
export function table(block, ctx) {
  const rows = (block.rows ?? []).map((row, i) => h("tr", null, row.map((data, j) => cell(data, block.column_settings?.[j], i === 0, ctx))));
  return h("div.table-scroll", { tabindex: "0", role: "region", "aria-label": "Table" },
    h("table.block-table", null, h("thead", null, rows.slice(0, 1)), h("tbody", null, rows.slice(1))));
}
