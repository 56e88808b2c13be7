// thread.js is the panel at the side that shows one thread.

import { Composer } from "./composer.js";
import { h, iconButton, replace } from "./dom.js";
import { countReplies, MessageList } from "./list.js";
import { current, go, listOf, on, repliesOf, state } from "./store.js";

let list;
let composer;
let shown = "";

/** startThread builds the panel and keeps it. */
export function startThread() {
  const panel = document.getElementById("thread");
  const messages = h("ol.messages", { "aria-label": "Thread" });
  const scroller = h("div.scroller", null, h("div.scroll-inner", null, messages));
  const box = h("div.composer");
  replace(panel, h("header.side-panel-head", null,
    h("div", null, h("h2", null, "Thread"), h("p.side-panel-note", { id: "thread-where" })),
    iconButton("close", "Close thread", close, { "data-testid": "thread-close" })), scroller, box);
  list = new MessageList(scroller, messages, { thread: true });
  composer = new Composer(box, { where, thread: true, testid: "thread-composer" });
  panel.addEventListener("keydown", (e) => e.key === "Escape" && !e.defaultPrevented && close());
  on("view messages channels me", draw);
}

function close() {
  const ts = state.view.thread;
  go({ thread: "" });
  document.querySelector(`#conversation [data-rove][data-ts="${CSS.escape(ts)}"]`)?.focus();
}

function where() {
  const channel = current();
  return {
    channel: channel?.id,
    thread_ts: state.view.thread,
    hint: "Reply…",
    closed: channel?.is_archived ? "This channel is archived." : "",
  };
}

function draw() {
  const panel = document.getElementById("thread");
  const { channel, thread } = state.view;
  panel.hidden = !thread;
  if (!thread) {
    shown = "";
    list.reset();
    return;
  }
  const fresh = shown !== `${channel}/${thread}`;
  if (fresh) list.reset();
  shown = `${channel}/${thread}`;
  const here = current();
  document.getElementById("thread-where").textContent = here?.is_im ? state.bot.name : `#${here?.name ?? ""}`;
  const parent = listOf(channel).find((m) => m.ts === thread);
  list.show(channel, [parent, ...repliesOf(channel, thread)].filter(Boolean), "", countReplies([]));
  composer.refresh();
  if (fresh) composer.field.focus();
}
