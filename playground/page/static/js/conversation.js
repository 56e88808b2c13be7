// conversation.js is the middle: the head of the channel or the app with its tabs, the
// messages or the Home view, and the composer.

import { Composer } from "./composer.js";
import { contextOf, perform } from "./context.js";
import { h, icon, replace } from "./dom.js";
import { drawHome } from "./home.js";
import { countReplies, MessageList } from "./list.js";
import { roveKeys } from "./menu.js";
import { summary } from "./message.js";
import { appBadge, author, avatar } from "./people.js";
import { openPanel } from "./panel.js";
import { botChannel, current, go, isReply, lastRead, listOf, markRead, on, reachable, state } from "./store.js";
import { say } from "./toast.js";

let list;
let composer;
let newSince = "";
let unseen = 0; // arrived below while the person reads further up
const $ = (id) => document.getElementById(id);

const isBot = (channel) => Boolean(channel) && channel === botChannel();

/** startConversation builds the middle and keeps it. */
export function startConversation() {
  list = new MessageList($("scroller"), $("messages"), { onpin: seen });
  composer = new Composer($("composer"), { where });
  $("to-end").addEventListener("click", () => list.toEnd());
  on("view", changed);
  on("channels me sockets", drawHead);
  on("channels me commands", () => composer.refresh());
  on("messages", arrived);
  addEventListener("focus", seen);
}

function where() {
  const channel = current();
  const name = isBot(channel) ? state.bot.name : `#${channel?.name ?? ""}`;
  return { channel: channel?.id, hint: `Message ${name}`, closed: channel?.is_archived ? `#${channel.name} is archived: nobody can write here.` : "" };
}

// changed follows the person to another conversation or tab.
function changed({ before } = {}) {
  const { channel, tab } = state.view;
  const moved = !before || before.channel !== channel || before.tab !== tab;
  drawHead();
  if (!moved) return;
  const home = isBot(current()) && tab === "home";
  $("home").hidden = !home;
  $("scroller").hidden = home;
  $("composer").hidden = home;
  $("to-end").hidden = true;
  if (isBot(current())) perform({ do: home ? "home" : "messages" });
  list.reset();
  if (home) {
    drawHome();
    return;
  }
  newSince = lastRead(channel);
  draw();
  seen();
  composer.refresh();
  if (before) composer.field.focus();
}

let due = false;

// arrived draws once for a burst of events, and says new messages aloud.
function arrived(change) {
  const added = change?.added;
  if (added && change.channel === state.view.channel && added.user !== state.me.id) {
    say(`${author(added).name}: ${summary(added, contextOf("say", {}))}`);
    if (!list.pinned && !isReply(added)) unseen += 1;
  }
  if (added && (added.ephemeral || added.user === state.me.id) && change.channel === state.view.channel && !isReply(added)) list.pinned = true;
  if (due || (change && change.channel && change.channel !== state.view.channel)) return;
  due = true;
  setTimeout(() => {
    due = false;
    draw();
    seen();
  }, 16);
}

function draw() {
  const { channel, tab } = state.view;
  if (!channel || (tab === "home" && isBot(current()))) return;
  const all = listOf(channel);
  const messages = all.filter((m) => !isReply(m));
  $("empty").hidden = messages.length > 0;
  if (messages.length === 0) replace($("empty"), empty(current()));
  const mine = messages.length > 0 && messages[messages.length - 1].user === state.me.id;
  const line = messages.some((m) => m.ts <= newSince) && !mine ? newSince : "";
  list.show(channel, messages, line, countReplies(all));
  drawToEnd();
}

function drawToEnd() {
  if (list.pinned) unseen = 0;
  const words = unseen ? `${unseen} new ${unseen === 1 ? "message" : "messages"}` : "Latest";
  const el = $("to-end");
  el.hidden = list.pinned || $("scroller").hidden;
  el.classList.toggle("fresh", unseen > 0);
  replace(el, icon("arrow"), words);
}

function seen() {
  const { channel, tab } = state.view;
  drawToEnd();
  if (document.hasFocus() && list.pinned && channel && !(tab === "home" && isBot(current()))) markRead(channel);
}

function empty(channel) {
  if (!channel) return [];
  const push = h("button.button.primary", { type: "button", onclick: () => openPanel({ channel: channel.is_im ? "" : `#${channel.name}` }) }, "Push an alert…");
  if (isBot(channel)) return emptyText("bell", `Say something to ${state.bot.name}`, ["Try ", h("code", null, "help"), ", ", h("code", null, "status"), " or ", h("code", null, "test"), ". It answers here, to you alone."]);
  if (channel.is_archived) return emptyText("archive", `#${channel.name} is archived`, ["Alerts meant for this channel wait until somebody unarchives it."]);
  if (channel.is_private && !channel.is_member) return emptyText("lock", `${state.bot.name} is not in #${channel.name}`, ["It is private, so alerts for it are kept and wait until the bot is invited. Try it:"], push);
  const join = channel.is_member === false ? ` ${state.bot.name} is not a member here, but may join: the channel is public.` : "";
  const shell = h("pre", { tabindex: "0" }, `tocsin send --channel '#${channel.name}' 'disk full on db-3'`);
  return emptyText("bell", `No messages in #${channel.name} yet`, [`Push an alert from here or from a shell, and it appears.${join}`], [shell, push]);
}

function emptyText(name, title, words, more = []) {
  return [h("span.empty-icon", null, icon(name)), h("h2", null, title), h("p", null, words), more];
}

function title(channel) {
  if (isBot(channel)) return [avatar({ app: true, name: state.bot.name ?? "", id: "" }, "small"), h("h1", null, state.bot.name), appBadge()];
  const lead = channel.is_archived ? icon("archive") : channel.is_private ? icon("lock") : h("span.hash", { "aria-hidden": "true" }, "#");
  return [lead, h("h1", null, channel.name)];
}

function chips(channel) {
  if (isBot(channel)) {
    const up = reachable();
    return h("span.chip", { class: up ? "chip-good" : "chip-warn" }, up ? "Connected" : "Not connected");
  }
  if (channel.is_archived) return h("span.chip", null, "Archived");
  if (!channel.is_im && channel.is_member === false) return h("span.chip.chip-warn", { title: "The bot is not a member of this channel" }, `without ${state.bot.name}`);
  return null;
}

function tabs(channel) {
  if (!isBot(channel)) return null;
  const tab = (name, label) => {
    const here = state.view.tab === name;
    return h("button.tab", { type: "button", role: "tab", id: `tab-${name}`, "aria-selected": String(here), "aria-controls": name === "home" ? "home" : "scroller", tabindex: here ? "0" : "-1", "data-testid": `tab-${name}`, onclick: () => go({ tab: name, thread: "" }) }, label);
  };
  const el = h("div.tabs", { role: "tablist", "aria-label": state.bot.name }, tab("home", "Home"), tab("messages", "Messages"));
  el.addEventListener("keydown", (e) => {
    if (roveKeys(e, [...el.children], ["ArrowLeft", "ArrowRight"])) {
      e.preventDefault();
      document.activeElement.click();
    }
  });
  return el;
}

function drawHead() {
  const channel = current();
  if (!channel) return;
  const head = $("head");
  const focused = head.contains(document.activeElement) ? document.activeElement.id : "";
  replace(head, h("div.head-line", null, h("div.head-title", null, title(channel)), channel.topic ? h("p.head-topic", { title: channel.topic }, channel.topic) : h("span.head-topic"), chips(channel)), tabs(channel));
  if (focused) document.getElementById(focused)?.focus();
  document.title = `${isBot(channel) ? state.bot.name : `#${channel.name}`} · ${state.team.name ?? "Playground"}`;
}
