// sidebar.js is the left column: channels, the app, and who is looking.

import { h, icon, replace } from "./dom.js";
import { menu, roveKeys } from "./menu.js";
import { avatar, avatarOf } from "./people.js";
import { botChannel, go, on, reachable, state, unreadOf } from "./store.js";

const order = (a, b) => Boolean(a.is_archived) - Boolean(b.is_archived) || a.name.localeCompare(b.name);

function lead(channel) {
  if (channel.is_archived) return icon("archive");
  return channel.is_private ? icon("lock") : h("span.hash", { "aria-hidden": "true" }, "#");
}

function entry(channel, { name, leading, view, note }) {
  const here = state.view.channel === channel.id;
  const unread = here ? 0 : unreadOf(channel);
  const kind = [channel.is_private && "private", channel.is_archived && "archived", note].filter(Boolean).join(", ");
  return h("li", null, h("button.side-item", {
    type: "button",
    class: [unread ? "unread" : "", channel.is_archived ? "archived" : ""].join(" ").trim(),
    "aria-current": here ? "page" : null,
    tabindex: here ? "0" : "-1",
    "data-testid": `channel-${name}`,
    "data-channel": channel.id,
    title: kind ? `${name} (${kind})` : null,
    onclick: () => go(view),
  }, leading, h("span.side-name", null, name), kind ? h("span.hidden", null, ` (${kind})`) : null,
    unread ? h("span.unread-count", { "data-testid": `unread-${name}` }, unread > 99 ? "99+" : unread, h("span.hidden", null, " unread")) : null));
}

function plainEntry(channel, name = channel.name) {
  return entry(channel, { name, leading: lead(channel), view: { channel: channel.id, tab: "messages", thread: "" } });
}

function botEntry() {
  const channel = botChannel() ?? { id: state.bot.id };
  const up = reachable();
  const note = up ? "connected" : "not connected";
  return entry(channel, {
    name: state.bot.name ?? "app",
    leading: h("span.side-avatar", null, avatar({ app: true, name: state.bot.name ?? "", id: "" }, "small"), h("span.presence", { class: up ? "up" : "" })),
    view: { channel: channel.id, tab: state.view.channel === channel.id ? state.view.tab : "home", thread: "" },
    note,
  });
}

function section(title, items) {
  if (items.length === 0) return null;
  return h("section", { "aria-label": title }, h("h2.side-title", null, title), h("ul.side-list", null, items));
}

function draw() {
  const nav = document.getElementById("channels");
  const focused = nav.contains(document.activeElement) ? document.activeElement.dataset.channel : null;
  const all = [...state.channels.values()];
  const rooms = all.filter((c) => !c.is_im).sort(order);
  const people = all.filter((c) => c.is_im && c !== botChannel());
  replace(nav,
    section("Channels", rooms.map((c) => plainEntry(c))),
    section("Direct messages", people.map((c) => entry(c, { name: state.users.get(c.user)?.name ?? c.name, leading: avatarOf(c.user, "small"), view: { channel: c.id, tab: "messages", thread: "" } }))),
    section("Apps", [botEntry()]));
  const items = [...nav.querySelectorAll(".side-item")];
  if (!items.some((item) => item.tabIndex === 0) && items[0]) items[0].tabIndex = 0;
  if (focused) items.find((item) => item.dataset.channel === focused)?.focus();
}

function drawHead() {
  document.getElementById("team").textContent = state.team.name ?? "Playground";
  const person = document.getElementById("person");
  replace(person, avatarOf(state.me.id, "small"), h("span.person-text", null, h("strong", null, state.me.real_name || state.me.name || ""), h("span", null, "Switch person")), icon("down"));
}

/** startSidebar draws the column and keeps it; onuser(name) switches to another person. */
export function startSidebar(onuser) {
  on("channels messages view sockets me", schedule);
  on("me", drawHead);
  const nav = document.getElementById("channels");
  nav.addEventListener("keydown", (e) => roveKeys(e, [...nav.querySelectorAll(".side-item")]) && e.preventDefault());
  const person = document.getElementById("person");
  person.addEventListener("click", () => menu(person, [...state.users.values()].filter((user) => !user.is_bot && !user.deleted).map((user) => ({
    label: user.real_name || user.name,
    note: `@${user.name}`,
    checked: user.id === state.me.id,
    testid: `user-${user.name}`,
    run: () => onuser(user.name),
  })), "Look as"));
}

let due = false;

// schedule draws once for a burst of events.
function schedule() {
  if (due) return;
  due = true;
  setTimeout(() => {
    due = false;
    draw();
  }, 16);
}
