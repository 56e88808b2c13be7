// message.js draws one message: who, when, what, and what can be done with it.

import { attachments, files } from "./attachments.js";
import { blocks } from "./blocks.js";
import { contextOf } from "./context.js";
import { showJSON } from "./dialog.js";
import { h, icon, iconButton } from "./dom.js";
import { mrkdwn, toPlain } from "./mrkdwn.js";
import { appBadge, author, avatar, avatarOf } from "./people.js";
import { dismiss, go, listOf, repliesOf } from "./store.js";
import { folded, tooLong } from "./text.js";
import { ago, clock, dateOf, full } from "./time.js";
import { toast } from "./toast.js";

const NOTES = new Set(["channel_join", "channel_leave", "channel_archive", "channel_unarchive", "channel_topic", "channel_name", "channel_purpose"]);

// typedOnly tells a person's message whose one rich_text section only repeats its text:
// marks typed into it (*so*) are then read from the text.
function typedOnly(message) {
  if (message.bot_id || message.blocks?.length !== 1) return false;
  const sections = message.blocks[0].elements;
  return message.blocks[0].type === "rich_text" && sections?.length === 1 && sections[0].type === "rich_text_section" && sections[0].elements.every((el) => !el.style);
}

function content(message, ctx) {
  const out = [];
  const drawn = message.blocks?.length && !typedOnly(message);
  if (drawn) out.push(...blocks(message.blocks, ctx));
  else if (message.text) {
    const body = h("div.message-text.preserve", null, mrkdwn(message.text, ctx, { unmarked: message.mrkdwn === false }));
    out.push(tooLong(message.text, 25) ? folded(body, `${ctx.key}-text`) : body);
  }
  return [...out, ...attachments(message.attachments, ctx), ...files(message.files, ctx)];
}

/** summary is a message in one line of words. */
export function summary(message, ctx) {
  const words = toPlain(message.text, ctx, { unmarked: message.mrkdwn === false });
  return words || message.attachments?.[0]?.fallback || (message.files?.length ? `file ${message.files[0].name}` : "a card");
}

function copy(words) {
  navigator.clipboard?.writeText(words).then(() => toast("Copied"), () => toast("The browser did not allow copying"));
}

function hoverActions(message, channel, inThread, ctx) {
  const reply = !inThread && !message.ephemeral;
  return h("div.message-actions", { role: "toolbar", "aria-label": "Message actions" },
    reply ? iconButton("thread", "Reply in thread", () => go({ thread: message.thread_ts ?? message.ts }), { "data-testid": "reply" }) : null,
    iconButton("copy", "Copy text", () => copy(summary(message, ctx))),
    iconButton("code", "Show as JSON", () => showJSON(`Message ${message.ts}`, message), { "data-testid": "show-json" }),
    message.ephemeral ? iconButton("close", "Dismiss", () => dismiss(channel, message.ts)) : null);
}

function ephemeralNote(message, channel) {
  return h("div.ephemeral-note", null, icon("eye"), h("span", null, "Only visible to you"), h("span.dot", { "aria-hidden": "true" }, "·"),
    h("button.link-button", { type: "button", "data-testid": "dismiss", onclick: () => dismiss(channel, message.ts) }, "Dismiss"));
}

function threadLink(message, channel) {
  const replies = repliesOf(channel, message.ts).filter((m) => !m.ephemeral);
  const count = Math.max(replies.length, message.reply_count ?? 0);
  if (count === 0) return null;
  const last = replies[replies.length - 1];
  const faces = [...new Set(replies.map((m) => author(m).id))].slice(0, 4);
  return h("button.thread-link", { type: "button", "data-testid": "replies", onclick: () => go({ thread: message.ts }) },
    h("span.faces", null, faces.map((id) => avatarOf(id, "tiny"))),
    h("strong", null, `${count} ${count === 1 ? "reply" : "replies"}`),
    last ? h("span.thread-last", { title: full(dateOf(last.ts)) }, `Last reply ${ago(dateOf(last.ts))}`) : null);
}

// origin says of a reply that shows in the channel as well to what it replies.
function origin(message, channel, ctx) {
  const parent = listOf(channel).find((m) => m.ts === message.thread_ts);
  return h("button.thread-origin", { type: "button", "data-testid": "thread-origin", onclick: () => go({ thread: message.thread_ts }) },
    "replied to a thread: ", h("span", null, parent ? summary(parent, ctx) : "an earlier message"));
}

function stamp(message) {
  const d = dateOf(message.ts);
  return h("time.message-time", { datetime: d.toISOString(), title: full(d) }, clock(d));
}

function edited(message) {
  return message.edited ? h("span.edited", { title: `Edited ${full(dateOf(message.edited.ts))}` }, "(edited)") : null;
}

function head(message, who) {
  return h("header.message-head", null, h("strong.message-name", null, who.name), who.app ? appBadge() : null, stamp(message), edited(message));
}

function note(message, who, ctx) {
  return h("div.message-note", null, h("span", null, mrkdwn(message.text, ctx)), stamp(message));
}

/**
 * drawMessage makes the list item of one message. how = {compact, inThread, broadcast}:
 * compact leaves out who and when because the message above is from the same author.
 */
export function drawMessage(message, channel, how = {}) {
  const key = `${how.inThread ? "t" : "m"}-${channel}-${message.ts}`;
  const ctx = contextOf(key, { channel, message_ts: message.ts });
  const who = author(message);
  const system = NOTES.has(message.subtype);
  const body = system ? note(message, who, ctx) : h("div.message-body", null,
    message.ephemeral ? ephemeralNote(message, channel) : null,
    how.compact ? null : head(message, who),
    message.subtype === "thread_broadcast" && !how.inThread ? origin(message, channel, ctx) : null,
    h("div.message-content", null, content(message, ctx)),
    how.compact ? edited(message) : null,
    how.inThread ? null : threadLink(message, channel));
  const gutter = how.compact || system ? h("div.message-gutter", null, system ? null : stamp(message)) : h("div.message-gutter", null, avatar(who));
  const label = `${who.name}, ${clock(dateOf(message.ts))}: ${summary(message, ctx)}`;
  return h("li.message", { class: [how.compact ? "compact" : "", message.ephemeral ? "ephemeral" : "", system ? "system" : ""].join(" ").trim(), "data-testid": message.ephemeral ? "ephemeral" : "message", "data-ts": message.ts, "data-rove": true, tabindex: "0", "aria-label": label },
    h("article", { "data-testid": `message-${message.ts}`, "data-ts": message.ts }, gutter, body, hoverActions(message, channel, how.inThread, ctx)));
}
