// attachments.js draws what hangs under a message: attachments with their colour bar
// (old fields, or blocks) and files.

import { h, icon } from "./dom.js";
import { blocks } from "./blocks.js";
import { element, pictureOf } from "./elements.js";
import { link, mrkdwn, unescape } from "./mrkdwn.js";
import { folded, tooLong } from "./text.js";
import { ago, dateOf } from "./time.js";

const COLOURS = { good: "var(--good)", warning: "var(--warning)", danger: "var(--danger)" };

function barColour(colour) {
  if (COLOURS[colour]) return COLOURS[colour];
  const hex = /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(colour ?? "");
  return hex ? `#${hex[1]}` : "var(--line-strong)";
}

function classic(at, ctx, key) {
  const title = at.title ? h("div.attachment-title", null, at.title_link ? link(unescape(at.title_link), mrkdwn(at.title, ctx, { verbatim: true })) : mrkdwn(at.title, ctx)) : null;
  let body = at.text ? h("div.preserve", null, mrkdwn(at.text, ctx)) : null;
  if (body && tooLong(at.text, 5)) body = folded(body, key);
  const fields = (at.fields ?? []).map((field) => h("div.attachment-field", { class: field.short ? "short" : "" },
    h("div.attachment-field-title", null, unescape(field.title ?? "")), h("div.preserve", null, mrkdwn(field.value ?? "", ctx))));
  return [
    at.author_name ? h("div.attachment-author", null, at.author_link ? link(unescape(at.author_link), [unescape(at.author_name)]) : unescape(at.author_name)) : null,
    title,
    body,
    fields.length ? h("div.attachment-fields", null, fields) : null,
    at.actions?.length ? h("div.block-actions", null, at.actions.map((a) => element(legacyButton(a), { block_id: at.callback_id }, ctx))) : null,
    at.image_url ? pictureOf(at.image_url, at.fallback, "picture") : null,
    foot(at),
  ];
}

function legacyButton(a) {
  return { type: "button", action_id: a.name ?? a.text, text: { type: "plain_text", text: a.text ?? "" }, value: a.value, url: a.url, style: a.style };
}

function foot(at) {
  const parts = [at.footer && unescape(at.footer), at.ts && ago(dateOf(at.ts))].filter(Boolean);
  return parts.length ? h("div.attachment-foot", null, parts.join("  ·  ")) : null;
}

/** attachments draws a message's attachments. */
export function attachments(list, ctx) {
  return (list ?? []).map((at, i) => {
    const key = `${ctx.key}-a${i}`;
    const content = at.blocks?.length ? blocks(at.blocks, { ...ctx, key }) : classic(at, ctx, key);
    const empty = !at.blocks?.length && !content.some(Boolean);
    return h("div.attachment-wrap", null,
      at.pretext ? h("div.preserve", null, mrkdwn(at.pretext, ctx)) : null,
      h("div.attachment", { vars: { "--bar": barColour(at.color) } }, empty ? unescape(at.fallback ?? "") : content));
  });
}

function size(bytes) {
  if (!(bytes >= 0)) return "";
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

// local keeps a file's address on this server, under whatever name the page was opened:
// files live in the playground itself.
function local(file) {
  const url = file.url_private_download ?? file.url_private ?? file.permalink;
  if (!url) return null;
  const parsed = new URL(url, location.href);
  return parsed.origin === location.origin || parsed.pathname.startsWith("/files/") ? parsed.pathname + parsed.search : url;
}

const isText = (file) => /^text\/|json|yaml|xml/.test(file.mimetype ?? "") || ["text", "log", "csv", "json", "yaml", "markdown"].includes(file.filetype);
const isImage = (file) => /^image\/(png|jpeg|gif|webp)$/.test(file.mimetype ?? "");

function preview(file, key) {
  const pre = h("pre.file-preview", { tabindex: "0" }, file.preview ?? "");
  if (file.preview) return tooLong(file.preview, 8) ? folded(pre, key) : pre;
  const box = h("div", null);
  const url = local(file);
  const show = h("button.fold-toggle", { type: "button", "data-testid": "file-preview" }, "Show preview");
  show.addEventListener("click", async () => {
    const answer = await fetch(url).catch(() => null);
    pre.textContent = answer?.ok ? (await answer.text()).slice(0, 20000) : "This file cannot be read.";
    box.replaceChildren(pre);
  });
  if (url) box.append(show);
  return box;
}

function fileCard(file, key) {
  const url = local(file);
  const name = file.title || file.name || "file";
  const note = [file.pretty_type || file.filetype || file.mimetype, size(file.size), file.lines ? `${file.lines} lines` : ""].filter(Boolean).join("  ·  ");
  return h("div.file", { "data-testid": "file", "data-file": file.id },
    h("div.file-head", null,
      h("span.file-icon", null, icon("file")),
      h("div.file-name", null, h("strong", null, name), h("span.file-note", null, note)),
      url ? h("a.icon-button", { href: url, download: file.name ?? name, "aria-label": `Download ${name}`, title: "Download" }, icon("download")) : null),
    isText(file) ? preview(file, key) : null,
    isImage(file) && url ? pictureOf(url, file.title, "picture") : null);
}

/** files draws a message's files. */
export function files(list, ctx) {
  return (list ?? []).filter((file) => file && file.mode !== "tombstone").map((file, i) => fileCard(file, `${ctx.key}-f${i}`));
}
