// list.js keeps a list of messages on the page in step with the store: only what
// changed is drawn again, focus and scroll position stay where they are.

import { h } from "./dom.js";
import { drawMessage } from "./message.js";
import { author } from "./people.js";
import { go } from "./store.js";
import { dateOf, dayKey, dayLabel } from "./time.js";

const GROUP = 5 * 60 * 1000;
const PAGE = 150;
// CONTROLS are what can have the focus inside a message.
const CONTROLS = ["a[href]", "button", "input", "select", "textarea", "summary", "[tabindex]"].map((s) => `[data-rove] ${s}`).join(", ");

// compact tells a message that needs no head, because the one above has the same author. A card
// always says when it came.
function compact(message, before) {
  if (!before || message.ephemeral || before.ephemeral || message.subtype || before.subtype || message.attachments?.length) return false;
  const [a, b] = [author(message), author(before)];
  return a.id === b.id && a.name === b.name && dateOf(message.ts) - dateOf(before.ts) < GROUP && dayKey(dateOf(message.ts)) === dayKey(dateOf(before.ts));
}

/** countReplies is how many replies each thread has: a Map from its ts. */
export function countReplies(messages) {
  const counts = new Map();
  for (const m of messages) if (m.thread_ts && m.thread_ts !== m.ts) counts.set(m.thread_ts, (counts.get(m.thread_ts) ?? 0) + 1);
  return counts;
}

/** MessageList shows messages in el (an ol inside the scrolling box). */
export class MessageList {
  constructor(scroller, el, options = {}) {
    Object.assign(this, { scroller, el, options, shown: new Map(), limit: PAGE, pinned: true });
    scroller.addEventListener("scroll", () => this.scrolled());
    el.addEventListener("keydown", (e) => this.keys(e));
    new MutationObserver(() => this.oneStopEach()).observe(el, { childList: true, subtree: true });
    new ResizeObserver(() => this.pinned && this.toEnd()).observe(el);
    new ResizeObserver(() => this.pinned && this.toEnd()).observe(scroller);
  }

  /** reset forgets what is shown: another conversation follows. */
  reset() {
    this.shown.clear();
    this.el.replaceChildren();
    this.limit = PAGE;
    this.pinned = true;
  }

  /** show brings the list in step; newSince draws the line above what is new; replies counts each thread's. */
  show(channel, messages, newSince = "", replies = new Map()) {
    const from = Math.max(0, messages.length - this.limit);
    const wanted = from > 0 ? [this.earlier(from, () => this.show(channel, messages, newSince, replies))] : [];
    let before = null;
    let lined = !newSince;
    for (const message of messages.slice(from)) {
      const day = dayKey(dateOf(message.ts));
      if (!this.options.thread && (!before || dayKey(dateOf(before.ts)) !== day)) wanted.push(this.line(`day-${day}`, dayLabel(dateOf(message.ts)), "day-line"));
      const first = !lined && message.ts > newSince;
      if (first) wanted.push(this.line("new-line", "New", "new-line"));
      lined ||= first;
      const alone = first || (this.options.thread && message === messages[1]);
      wanted.push(this.item(channel, message, `${!alone && compact(message, before)}-${replies.get(message.ts) ?? 0}`));
      before = message;
    }
    this.sync(wanted);
    if (this.pinned) this.toEnd();
  }

  earlier(count, again) {
    const node = h("li.earlier", null, h("button.button", { type: "button" }, `Show ${Math.min(count, PAGE)} earlier messages`));
    node.firstChild.addEventListener("click", () => {
      const height = this.scroller.scrollHeight;
      this.limit += PAGE;
      this.pinned = false;
      again();
      this.scroller.scrollTop += this.scroller.scrollHeight - height;
    });
    return ["earlier", node];
  }

  line(key, label, className) {
    const known = this.shown.get(key);
    return [key, known?.node ?? h(`li.${className}`, { "data-testid": className }, h("span", null, label)), ""];
  }

  // item reuses the node of a message that looks the same as before.
  item(channel, message, look) {
    const key = `${message.ts}${message.ephemeral ? "e" : ""}`;
    const known = this.shown.get(key);
    if (known && known.message === message && known.look === look) return [key, known.node, look, message];
    const node = drawMessage(message, channel, { compact: look.startsWith("true"), inThread: this.options.thread });
    return [key, node, look, message];
  }

  sync(wanted) {
    const focus = this.focusPath();
    const next = new Map(wanted.map(([key, node, look, message]) => [key, { node, look, message }]));
    for (const [key, { node }] of this.shown) if (next.get(key)?.node !== node) node.remove();
    let at = this.el.firstChild;
    for (const [, node] of wanted) {
      if (node === at) at = at.nextSibling;
      else this.el.insertBefore(node, at);
    }
    this.shown = next;
    this.restore(focus);
  }

  // oneStopEach leaves each message one stop of the Tab key: what is inside is reached with the
  // arrow keys.
  oneStopEach() {
    for (const control of this.el.querySelectorAll(CONTROLS)) if (control.tabIndex >= 0) control.tabIndex = -1;
  }

  items() {
    return [...this.el.querySelectorAll(":scope > [data-rove]")];
  }

  // A message that is drawn again under a person's hands keeps the focus.
  focusPath() {
    const active = document.activeElement;
    if (!active || !this.el.contains(active)) return null;
    const item = active.closest("[data-ts]");
    return { ts: item?.closest("li")?.dataset.ts, action: active.dataset?.action, testid: active.dataset?.testid, node: active };
  }

  restore(focus) {
    if (!focus || focus.node.isConnected) return;
    const item = this.items().find((el) => el.dataset.ts === focus.ts);
    const inside = [...(item?.querySelectorAll("[data-testid]") ?? [])].find((el) => el.dataset.testid === focus.testid);
    (inside ?? item)?.focus({ preventScroll: true });
  }

  keys(e) {
    const item = e.target.closest?.("[data-rove]");
    if (!item || e.defaultPrevented) return;
    const inside = e.target !== item;
    if (inside && e.key === "Escape") item.focus();
    else if (!inside && e.key === "Enter" && !this.options.thread && item.dataset.testid === "message") go({ thread: item.dataset.ts });
    else if (!this.step(e, item, inside)) return;
    e.preventDefault();
  }

  // step moves between messages with up and down, and to the controls of one with left and right.
  step(e, item, inside) {
    const controls = [...item.querySelectorAll(CONTROLS)].filter((el) => el.checkVisibility({ visibilityProperty: true }) && !el.disabled);
    const all = inside || e.key === "ArrowRight" ? [item, ...controls] : this.items();
    const keys = all[0] === item && (inside || e.key === "ArrowRight") ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    if (inside && e.target.matches("input, select, textarea")) return false;
    const at = all.indexOf(document.activeElement);
    const to = { [keys[0]]: at - 1, [keys[1]]: at + 1, Home: inside ? undefined : 0, End: inside ? undefined : all.length - 1 }[e.key];
    if (to === undefined) return false;
    all[Math.max(0, Math.min(all.length - 1, to))].focus();
    return true;
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    const pinned = scrollHeight - scrollTop - clientHeight < 40;
    if (pinned === this.pinned) return;
    this.pinned = pinned;
    this.options.onpin?.(pinned);
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}
