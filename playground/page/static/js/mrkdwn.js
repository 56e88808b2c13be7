// mrkdwn.js reads Slack's mrkdwn and gives DOM nodes: *bold* _italic_ ~strike~ `code`,
// ``` blocks, > quotes, <links|label>, mentions, <!date…> and :emoji:.
// ctx names people and channels: {user(id), channel(id), open(channel)}.

import { h, safeURL } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { formatDate, full } from "./time.js";

const STYLES = { "*": "b", _: "i", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;
const BARE_URL = /https?:\/\/[^\s<>"'`]+[^\s<>"'`.,;:!?)\]}]/y;

/** unescape undoes the three escapes of Slack's text. */
export function unescape(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/**
 * mrkdwn gives the nodes of a text. options: verbatim (bare URLs are not linked),
 * unmarked (only <…> is read).
 */
export function mrkdwn(text, ctx, options = {}) {
  if (options.unmarked) return inline(String(text ?? ""), ctx, { ...options, verbatim: true });
  const out = [];
  const parts = String(text ?? "").split("```");
  if (parts.length % 2 === 0) parts.push(parts.splice(-2).join("```"));
  parts.forEach((part, i) => {
    if (i % 2 === 1) out.push(h("pre.code-block", null, codeText(part.replace(/^\n/, "").replace(/\n$/, ""))));
    else if (part) out.push(...paragraphs(trimAround(part, i, parts.length), ctx, options));
  });
  return out;
}

// A line break beside a code block belongs to the block, not to the text.
function trimAround(part, i, count) {
  let text = part;
  if (i > 0) text = text.replace(/^\n/, "");
  if (i < count - 1) text = text.replace(/\n$/, "");
  return text;
}

function paragraphs(text, ctx, options) {
  const out = [];
  let quote = [];
  let plain = [];
  const flush = () => {
    if (quote.length) out.push(h("blockquote", null, inline(quote.join("\n"), ctx, options)));
    if (plain.length) out.push(...inline(plain.join("\n"), ctx, options));
    quote = [];
    plain = [];
  };
  let rest = false;
  for (const line of text.split("\n")) {
    const found = rest ? [line, "", line] : /^((?:&gt;|>){3}|&gt;|>) ?(.*)$/.exec(line);
    if (found && (found[1] === "&gt;&gt;&gt;" || found[1] === ">>>")) rest = true;
    if (found ? plain.length : quote.length) flush();
    (found ? quote : plain).push(found ? found[2] : line);
  }
  flush();
  return out;
}

/** inline gives the nodes of one run of text without blocks or quotes. */
export function inline(text, ctx, options = {}) {
  const out = [];
  let plain = "";
  let i = 0;
  const flush = () => {
    if (plain) out.push(...withEmoji(unescape(plain), !options.unmarked));
    plain = "";
  };
  while (i < text.length) {
    const piece = special(text, i, ctx, options);
    if (piece) {
      flush();
      out.push(...[piece.node].flat());
      i = piece.end;
    } else {
      plain += text[i];
      i += 1;
    }
  }
  flush();
  return out;
}

// special recognises what begins at text[i]; null when it is an ordinary character.
function special(text, i, ctx, options) {
  const c = text[i];
  if (c === "<") return control(text, i, ctx);
  if (options.unmarked) return null;
  if (c === "`") return codeSpan(text, i);
  if (c in STYLES) return styled(text, i, ctx, options);
  if (c === "h" && !options.verbatim) return bareURL(text, i);
  return null;
}

function bareURL(text, i) {
  BARE_URL.lastIndex = i;
  const found = i > 0 && WORD.test(text[i - 1]) ? null : BARE_URL.exec(text);
  return found && { node: link(unescape(found[0]), null), end: i + found[0].length };
}

function codeSpan(text, i) {
  const end = text.indexOf("`", i + 1);
  if (end < 0 || end === i + 1 || text.slice(i, end).includes("\n")) return null;
  return { node: h("code", null, codeText(text.slice(i + 1, end))), end: end + 1 };
}

// Inside code, links show as their text and the escapes are undone.
function codeText(text) {
  return unescape(text.replace(/<(https?:[^|>\s]+)(?:\|([^>]*))?>/g, (_, url, label) => label || url));
}

function styled(text, i, ctx, options) {
  const c = text[i];
  if (i > 0 && (WORD.test(text[i - 1]) || text[i - 1] === c)) return null;
  if (!text[i + 1] || /\s/.test(text[i + 1]) || text[i + 1] === c) return null;
  const end = closing(text, i + 1, c);
  if (end < 0) return null;
  return { node: h(STYLES[c], null, inline(text.slice(i + 1, end), ctx, options)), end: end + 1 };
}

// closing finds where a style ends, stepping over code and <…>, within one line.
function closing(text, from, c) {
  for (let j = from; j < text.length && text[j] !== "\n"; j += 1) {
    const skip = { "<": ">", "`": "`" }[text[j]];
    if (skip) {
      const end = text.indexOf(skip, j + 1);
      if (end > 0) j = end;
      continue;
    }
    const after = text[j + 1];
    if (text[j] === c && j > from && !/\s/.test(text[j - 1]) && (after === undefined || !(WORD.test(after) || after === c))) return j;
  }
  return -1;
}

function control(text, i, ctx) {
  const end = text.indexOf(">", i);
  const body = end < 0 ? "" : text.slice(i + 1, end);
  if (!body || body.includes("\n") || body.includes("<")) return null;
  const node = controlNode(body, ctx);
  return node ? { node, end: end + 1 } : null;
}

function controlNode(body, ctx) {
  const bar = body.indexOf("|");
  const head = bar < 0 ? body : body.slice(0, bar);
  const label = bar < 0 ? "" : unescape(body.slice(bar + 1));
  if (/^@[UWB]\w+$/.test(head)) return userMention(head.slice(1), ctx, label);
  if (/^#[CG]\w+$/.test(head)) return channelLink(head.slice(1), ctx, label);
  if (head.startsWith("!date^")) return date(head.slice(6), label);
  if (head.startsWith("!subteam^")) return groupMention(head.slice(9), ctx, label);
  if (/^!(here|channel|everyone)$/.test(head)) return broadcast(head.slice(1));
  if (head.startsWith("!")) return label || `<${body}>`;
  return link(unescape(head), label ? withEmoji(label) : null);
}

/** userMention shows a person's name; ones own is marked. */
export function userMention(id, ctx, label = "") {
  const user = ctx.user(id);
  return h("span.mention", { class: id === ctx.me ? "mention-me" : "", title: user?.real_name, "data-user": id }, `@${user?.name ?? (label.replace(/^@/, "") || id)}`);
}

/** groupMention shows a group's handle; a group one is in is marked. */
export function groupMention(id, ctx, label = "") {
  const group = ctx.group?.(id);
  const names = (group?.users ?? []).map((user) => ctx.user(user)?.real_name ?? user).join(", ");
  return h("span.mention", { class: group?.users.includes(ctx.me) ? "mention-me" : "", title: names || null, "data-group": id }, `@${group?.handle ?? (label.replace(/^@/, "") || "group")}`);
}

/** channelLink opens a channel on this page. */
export function channelLink(id, ctx, label = "") {
  const channel = ctx.channel(id);
  const name = channel?.name ?? (label.replace(/^#/, "") || "private channel");
  if (!channel) return h("span.mention", null, `#${name}`);
  return h("button.mention.mention-link", { type: "button", onclick: () => ctx.open(id) }, `#${name}`);
}

/** broadcast is @here, @channel or @everyone. */
export function broadcast(range) {
  return h("span.mention.mention-me", null, `@${range}`);
}

/** date fills "UNIX^format^link" in the viewer's zone, or shows the fallback. */
export function date(spec, fallback) {
  const [unix, format = "", href] = spec.split("^");
  const text = /^-?\d+$/.test(unix) ? formatDate(unix, unescape(format)) : null;
  if (text === null) return fallback || unescape(format);
  const time = h("time", { "data-unix": unix, "data-format": unescape(format), datetime: new Date(unix * 1000).toISOString(), title: full(new Date(unix * 1000)) }, text);
  return href ? link(unescape(href), [time]) : time;
}

/** link is an anchor for a web, mail or phone address; anything else stays text. */
export function link(url, children) {
  const safe = safeURL(url);
  if (safe === null || safe.startsWith("#") || safe.startsWith("/")) return children ? [...children] : `<${url}>`;
  return h("a", { href: safe, target: "_blank", rel: "noopener noreferrer" }, children ?? safe.replace(/^mailto:/, ""));
}

/** toPlain is a text as a screen reader or a preview line would say it. */
export function toPlain(text, ctx, options = {}) {
  const el = h("div", null, mrkdwn(text, ctx, { ...options, verbatim: true }));
  for (const node of el.querySelectorAll(".emoji")) node.replaceWith("");
  return el.textContent.replace(/\s+/g, " ").trim();
}
