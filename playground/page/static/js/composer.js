// composer.js is the box one types into: Enter sends, Shift+Enter breaks the line, Up in
// an empty box brings back what was sent, "/" offers the bot's commands.

import { Completer } from "./complete.js";
import { perform } from "./context.js";
import { h, icon, replace } from "./dom.js";
import { answerText } from "./elements.js";
import { state } from "./store.js";

const HISTORY = "tocsin.history";

// What became of a command that nobody took is told by a message of the workspace itself.
const TOLD = new Set(["operation_timeout", "dispatch_failed", "invalid_command", "invalid_response"]);

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(HISTORY)) ?? [];
  } catch {
    return [];
  }
}

function remember(text) {
  const list = remembered().filter((known) => known !== text);
  sessionStorage.setItem(HISTORY, JSON.stringify([...list, text].slice(-50)));
}

/**
 * Composer builds its box in el. where() gives {channel, thread_ts?, hint, closed}: where
 * a text goes, the words in the empty box, or why nothing can be written.
 */
export class Composer {
  constructor(el, { where, thread = false, testid = "composer" }) {
    Object.assign(this, { el, where, thread, back: 0, drafts: new Map(), place: "" });
    const id = `${testid}-menu`;
    this.menu = h("div.complete", { id, role: "listbox", "aria-label": "Suggestions", hidden: true, "data-testid": thread ? "thread-command-menu" : "command-menu" });
    this.field = h("textarea.composer-field", { rows: "1", "data-testid": testid, "aria-autocomplete": "list", "aria-haspopup": "listbox", "aria-controls": id, autocomplete: "off", spellcheck: "true" });
    this.button = h("button.composer-send", { type: "button", "aria-label": "Send", title: "Send (Enter)", "data-testid": `${testid}-send` }, icon("send"));
    this.hint = h("span.composer-hint");
    this.status = h("div.composer-status", { role: "status", "data-testid": thread ? "thread-status" : "command-status" });
    this.box = h("div.composer-box", null, this.field, h("div.composer-foot", null, this.hint, this.button));
    replace(el, this.status, this.menu, this.box);
    this.completer = new Completer(this.field, this.menu, { thread });
    this.listen();
  }

  listen() {
    this.field.addEventListener("keydown", (e) => this.key(e));
    this.field.addEventListener("input", () => this.changed());
    this.button.addEventListener("click", () => this.send());
  }

  /** refresh takes over another place: drafts stay with theirs. */
  refresh() {
    const { channel = "", thread_ts = "", hint, closed } = this.where();
    const place = `${channel}/${thread_ts}`;
    this.box.hidden = Boolean(closed);
    if (place !== this.place) {
      this.drafts.set(this.place, this.field.value);
      this.place = place;
      this.field.value = this.drafts.get(place) ?? "";
      this.tell("");
      this.changed();
    }
    this.field.placeholder = hint ?? "";
    this.field.setAttribute("aria-label", hint ?? "Message");
    if (closed) replace(this.status, h("span.composer-closed", null, icon("archive"), closed));
    else if (this.status.querySelector(".composer-closed")) this.tell("");
  }

  changed() {
    this.field.style.setProperty("height", "auto");
    if (this.field.scrollHeight) this.field.style.setProperty("height", `${Math.min(this.field.scrollHeight, 200)}px`);
    this.button.classList.toggle("ready", this.field.value.trim() !== "");
    replace(this.hint, this.usage());
  }

  // usage says what may follow a command, else how the keys work.
  usage() {
    const word = this.field.value.split(/\s/)[0];
    const command = word.startsWith("/") && !this.thread ? state.commands.find((c) => c.command === word) : null;
    if (command) return [h("strong", null, command.command), " ", command.usage_hint ?? "", command.description ? ` · ${command.description}` : ""];
    return this.thread ? "Enter sends" : [h("kbd", null, "/"), " for commands, ", h("kbd", null, "Shift"), " ", h("kbd", null, "Enter"), " for a new line"];
  }

  key(e) {
    if (this.completer.key(e)) {
      e.preventDefault();
      e.stopPropagation();
    } else if (e.key === "Enter" && !e.shiftKey && !e.isComposing) {
      e.preventDefault();
      this.send();
    } else if ((e.key === "ArrowUp" || e.key === "ArrowDown") && this.recall(e.key === "ArrowUp" ? 1 : -1)) e.preventDefault();
    else if (!["Shift", "Control", "Alt", "Meta"].includes(e.key)) this.back = 0;
  }

  // recall walks through what was sent, beginning in an empty box.
  recall(step) {
    const list = remembered();
    if ((this.back === 0 && (this.field.value !== "" || step < 0)) || list.length === 0) return false;
    this.back = Math.max(0, Math.min(list.length, this.back + step));
    this.field.value = this.back === 0 ? "" : list[list.length - this.back];
    this.completer.refused = this.field.value;
    this.changed();
    return true;
  }

  async send() {
    const text = this.field.value.trim();
    const { channel, thread_ts, closed } = this.where();
    if (!text || closed || !channel) return;
    if (this.thread && text.startsWith("/")) {
      this.tell("Slack does not run commands in threads: type it in the channel.", "warn");
      return;
    }
    remember(text);
    this.back = 0;
    this.field.value = "";
    this.changed();
    this.tell(text.startsWith("/") ? `${text.split(/\s/)[0]} …` : "", "busy");
    const answer = await perform({ do: "send", channel, text, thread_ts: thread_ts || undefined });
    this.answered(text, answer);
  }

  answered(text, answer) {
    if (answer.ok !== false || (text.startsWith("/") && TOLD.has(answer.error))) {
      this.tell("");
      return;
    }
    const what = text.startsWith("/") ? `${text.split(/\s/)[0]}: ` : "Not sent: ";
    this.tell(what + answerText(answer, state.bot.name ?? "The bot"), "warn");
    if (!text.startsWith("/") && !this.field.value) {
      this.field.value = text;
      this.changed();
    }
  }

  tell(words, kind = "") {
    this.status.className = `composer-status ${words ? kind : ""}`;
    replace(this.status, words ? [kind === "busy" ? h("span.spinner") : icon("warn"), h("span", null, words)] : []);
  }
}
