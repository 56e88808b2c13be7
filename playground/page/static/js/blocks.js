// blocks.js draws Block Kit blocks as Slack would. A block it does not know becomes a
// discreet placeholder, never an error.

import { h, icon } from "./dom.js";
import { chart } from "./chart.js";
import { addressOf, element, pictureOf } from "./elements.js";
import { markdown } from "./markdown.js";
import { richText, table } from "./richtext.js";
import { folded, plain, text, tooLong } from "./text.js";

function section(block, ctx, key) {
  let body = block.text ? h("div.section-text.preserve", null, text(block.text, ctx)) : null;
  if (body && !block.expand && tooLong(block.text.text ?? "", 12)) body = folded(body, key);
  const fields = (block.fields ?? []).map((field) => h("div.section-field.preserve", null, text(field, ctx)));
  const main = h("div.section-main", null, body, fields.length ? h("div.section-fields", null, fields) : null);
  const side = block.accessory ? h("div.section-accessory", null, element(block.accessory, block, ctx)) : null;
  return h("div.block-section", null, main, side);
}

function context(block, ctx) {
  return h("div.block-context", null, (block.elements ?? []).map((el) =>
    el.type === "image" ? pictureOf(addressOf(el), el.alt_text, "context-image") : h("span.preserve", null, text(el, ctx))));
}

function image(block, ctx) {
  const title = block.title ? h("figcaption", null, text(block.title, ctx)) : null;
  return h("figure.block-image", null, title, pictureOf(addressOf(block), block.alt_text, "picture"));
}

function input(block, ctx) {
  const id = `${ctx.key}-${block.block_id}`;
  return h("div.block-input", { "data-block": block.block_id },
    h("label.input-label", { for: id }, text(block.label, ctx), block.optional ? h("span.input-optional", null, " (optional)") : null),
    element(block.element ?? {}, block, ctx),
    h("p.input-error", { id: `${id}-error`, role: "alert", hidden: true, "data-testid": `error-${block.block_id}` }),
    block.hint ? h("p.input-hint.preserve", { id: `${id}-hint` }, text(block.hint, ctx)) : null);
}

function notice(block, ctx) {
  const level = ["info", "warning", "error", "success"].includes(block.level) ? block.level : "default";
  return h("div.block-alert", { class: `level-${level}`, role: "note" }, icon(level === "success" ? "check" : "warn"), h("div.preserve", null, text(block.text, ctx)));
}

const DRAW = {
  header: (block, ctx) => h(`h${Math.min(Math.max(Number(block.level) || 1, 1) + 2, 6)}.block-header.preserve`, { class: `header-${block.level ?? 1}` }, text(block.text, ctx)),
  section,
  context,
  divider: () => h("hr.block-divider"),
  actions: (block, ctx) => h("div.block-actions", null, (block.elements ?? []).map((el) => element(el, block, ctx))),
  image,
  input,
  rich_text: (block, ctx, key) => {
    const node = richText(block, ctx);
    return tooLong(node.textContent, 25) ? folded(node, key) : node;
  },
  table,
  data_visualization: chart,
  markdown: (block, ctx, key) => {
    const node = h("div.markdown", null, markdown(block.text));
    return tooLong(block.text ?? "", 25) ? folded(node, key) : node;
  },
  alert: notice,
};

function placeholder(block) {
  const label = String(block.type ?? "block").replaceAll("_", " ");
  const words = plain(block.title) || plain(block.text) || block.alt_text || "";
  return h("div.placeholder", { title: "This page does not draw this block" }, `${label} block`, words ? h("span.placeholder-text", null, words) : null);
}

/** blocks draws a list of blocks; ctx.key makes ids unique among everything shown. */
export function blocks(list, ctx) {
  return (list ?? []).map((block, i) => {
    const draw = DRAW[block.type];
    const node = draw ? draw(block, ctx, `${ctx.key}-${i}`) : placeholder(block);
    node.classList.add("block");
    return node;
  });
}
