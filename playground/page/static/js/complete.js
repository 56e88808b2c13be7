// complete.js is the menu above the composer: the bot's commands after "/", people
// after "@", channels after "#". The text field keeps the focus and drives it.

import { h, icon, replace } from "./dom.js";
import { avatarOf } from "./people.js";
import { state } from "./store.js";

const MOST = 8;

function commands(typed) {
  return state.commands.filter((c) => c.command.startsWith(typed)).map((c) => ({
    key: c.command,
    text: `${c.command} `,
    lead: avatarOf(state.bot.id, "small"),
    title: [h("strong", null, c.command), c.usage_hint ? h("span.option-hint", null, c.usage_hint) : null],
    note: c.description,
  }));
}

function groups(typed) {
  return [...state.groups.values()].filter((g) => !g.disabled && (g.handle.startsWith(typed) || g.name.toLowerCase().startsWith(typed))).map((g) => ({
    key: `@${g.handle}`, text: `@${g.handle} `, lead: h("span.hash", null, "@"), title: [h("strong", null, g.handle)], note: g.name === g.handle ? "" : g.name,
  }));
}

function people(typed) {
  return [...[...state.users.values()].filter((u) => !u.deleted && (u.name.startsWith(typed) || u.real_name?.toLowerCase().startsWith(typed))).map((u) => ({
    key: `@${u.name}`, text: `@${u.name} `, lead: avatarOf(u.id, "small"), title: [h("strong", null, u.name)], note: u.real_name,
  })), ...groups(typed)];
}

function channels(typed) {
  return [...state.channels.values()].filter((c) => !c.is_im && c.name.startsWith(typed)).map((c) => ({
    key: `#${c.name}`, text: `#${c.name} `, lead: h("span.hash", null, c.is_private ? icon("lock") : "#"), title: [h("strong", null, c.name)], note: c.topic,
  }));
}

// found says which word is being typed and what could complete it.
function found(text, caret, inThread) {
  const before = text.slice(0, caret);
  const command = /^\/[\w-]*$/.exec(before);
  if (command && !inThread) return { from: 0, options: commands(before) };
  const word = /(?:^|\s)([@#])([\p{L}\p{N}._-]*)$/u.exec(before);
  if (!word) return null;
  const from = caret - word[2].length - 1;
  return { from, options: (word[1] === "@" ? people : channels)(word[2].toLowerCase()) };
}

/** Completer watches field and draws its menu in el. */
export class Completer {
  constructor(field, el, options = {}) {
    Object.assign(this, { field, el, options, at: 0, now: null, refused: "" });
    field.addEventListener("input", () => this.refresh());
    field.addEventListener("click", () => this.refresh());
    field.addEventListener("blur", () => this.close());
    el.addEventListener("mousedown", (e) => e.preventDefault());
  }

  get open() {
    return Boolean(this.now);
  }

  refresh() {
    const text = this.field.value;
    if (text === this.refused) return;
    this.refused = "";
    const match = found(text, this.field.selectionStart, this.options.thread);
    const options = match?.options.slice(0, MOST) ?? [];
    const only = options.length === 1 && text.slice(match.from, this.field.selectionStart) === options[0].key && options[0].key[0] !== "/";
    if (options.length === 0 || only) {
      this.close();
      return;
    }
    this.now = { from: match.from, options };
    this.at = Math.min(this.at, options.length - 1);
    this.draw();
  }

  draw() {
    const id = (i) => `${this.el.id}-${i}`;
    replace(this.el, h("div.complete-head", null, this.now.options[0].key.startsWith("/") ? "Commands" : "Suggestions", h("span.complete-keys", null, "↑ ↓ to choose, Tab or Enter to complete, Esc to close")),
      this.now.options.map((option, i) => h("div.option", {
        id: id(i), role: "option", "aria-selected": String(i === this.at), "data-testid": `option-${option.key}`,
        onclick: () => this.take(i),
      }, option.lead, h("span.option-title", null, option.title), h("span.option-note", null, option.note))));
    this.el.hidden = false;
    this.field.setAttribute("aria-activedescendant", id(this.at));
    this.el.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  close() {
    this.now = null;
    this.at = 0;
    this.el.hidden = true;
    this.field.removeAttribute("aria-activedescendant");
  }

  // take puts option i in the place of the word being typed.
  take(i) {
    const { from, options } = this.now;
    const after = this.field.value.slice(this.field.selectionStart).replace(/^ /, "");
    this.field.value = this.field.value.slice(0, from) + options[i].text + after;
    const caret = from + options[i].text.length;
    this.close();
    this.field.setSelectionRange(caret, caret);
    this.field.focus();
    this.field.dispatchEvent(new Event("input"));
  }

  /** key handles a key of the field; true when the menu took it. */
  key(e) {
    if (!this.open || e.isComposing) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (step) {
      const count = this.now.options.length;
      this.at = (this.at + step + count) % count;
      this.draw();
      return true;
    }
    if (e.key === "Escape") {
      this.refused = this.field.value;
      this.close();
      return true;
    }
    if (e.key !== "Tab" && e.key !== "Enter") return false;
    return this.accept(e);
  }

  // A command typed in full is sent by Enter instead of being completed once more.
  accept(e) {
    const option = this.now.options[this.at];
    const whole = this.field.value.trim() === option.key && option.key.startsWith("/");
    if (e.key === "Enter" && (e.shiftKey || whole)) {
      this.close();
      return false;
    }
    this.take(this.at);
    return true;
  }
}
