// text.js draws Slack's text objects ({type: "plain_text" | "mrkdwn", text}) and
// folds long ones behind "Show more".

import { h } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { mrkdwn, unescape } from "./mrkdwn.js";

/** plain is the bare string of a text object. */
export function plain(object) {
  return unescape(typeof object === "string" ? object : (object?.text ?? ""));
}

/** text gives the nodes of a text object. */
export function text(object, ctx) {
  if (!object) return [];
  if (typeof object === "string") return mrkdwn(object, ctx);
  if (object.type === "mrkdwn") return mrkdwn(object.text, ctx, { verbatim: object.verbatim });
  return withEmoji(unescape(object.text ?? ""), object.emoji !== false);
}

const opened = new Set();

/** tooLong is Slack's rule of thumb for folding: 700 characters, or so many lines. */
export function tooLong(string, lines) {
  return string.length > 700 || string.split("\n").length > lines;
}

/** folded wraps node so that only its beginning shows; key remembers what was opened. */
export function folded(node, key) {
  const body = h("div.fold", null, node);
  const toggle = h("button.fold-toggle", { type: "button" });
  const show = (open) => {
    body.classList.toggle("folded", !open);
    toggle.textContent = open ? "Show less" : "Show more";
    toggle.setAttribute("aria-expanded", String(open));
  };
  toggle.addEventListener("click", () => {
    const open = !opened.has(key);
    if (open) opened.add(key);
    else opened.delete(key);
    show(open);
  });
  show(opened.has(key));
  return h("div", null, body, toggle);
}
