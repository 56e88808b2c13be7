// app.js starts the page: builds its parts, asks for the state, follows what happens,
// and keeps the address in step with where the person is.

import { fetchState, follow } from "./api.js";
import { startConversation } from "./conversation.js";
import { h, icon, replace } from "./dom.js";
import { startHome } from "./home.js";
import { startModals } from "./modal.js";
import { startPanel } from "./panel.js";
import { startSidebar } from "./sidebar.js";
import { apply, botChannel, go, load, on, setOnline, state } from "./store.js";
import { startThread } from "./thread.js";
import { keepFresh } from "./time.js";
import { toast } from "./toast.js";

let user = new URLSearchParams(location.search).get("user") || "ann";
let stop = () => {};
let waiting = null; // events that came while the state was on its way

// begin looks as a person: events first, then the state, so that nothing is missed between.
function begin(name) {
  stop();
  user = name;
  state.online = true;
  stop = follow(name, {
    event: (e) => (waiting ? waiting.push(e) : apply(e)),
    up: refresh,
    down: () => setOnline(false),
  });
}

async function refresh() {
  const name = user;
  waiting ??= [];
  try {
    const data = await fetchState(name);
    if (name !== user) return;
    setOnline(true);
    load(data);
    if (!state.channels.has(state.view.channel)) go(fromAddress());
    document.body.classList.add("ready");
  } catch {
    setOnline(false);
    setTimeout(() => name === user && refresh(), 2000);
    return;
  }
  const late = waiting;
  waiting = null;
  for (const e of late) apply(e);
}

// fromAddress reads #alerts, #alerts/1767225600.000100 or #@home, #@messages.
function fromAddress() {
  const [name, thread = ""] = decodeURIComponent(location.hash.slice(1)).split("/");
  const all = [...state.channels.values()];
  if (name.startsWith("@") && botChannel()) return { channel: botChannel().id, tab: name === "@messages" ? "messages" : "home", thread };
  const open = all.filter((c) => !c.is_im && !c.is_archived);
  const known = all.find((c) => !c.is_im && c.name === name);
  const channel = known ?? open.find((c) => c.name === "alerts") ?? open.find((c) => c.is_member) ?? all[0];
  return { channel: channel?.id ?? "", tab: "messages", thread: known ? thread : "" };
}

function toAddress() {
  const { channel, tab, thread } = state.view;
  const known = state.channels.get(channel);
  const name = known === botChannel() ? `@${tab}` : (known?.name ?? "");
  const hash = `#${encodeURIComponent(name).replace("%40", "@")}${thread ? `/${thread}` : ""}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
}

function switchUser(name) {
  if (name === user) return;
  const url = new URL(location.href);
  url.searchParams.set("user", name);
  if (url.hash.includes("/")) url.hash = url.hash.split("/")[0];
  history.replaceState(null, "", url);
  state.view = { channel: "", tab: "messages", thread: "" };
  begin(name);
}

const THEMES = { auto: ["auto", "Theme: as the system"], light: ["sun", "Theme: light"], dark: ["moon", "Theme: dark"] };

function startTheme() {
  const button = document.getElementById("theme");
  const draw = () => {
    const [name, label] = THEMES[window.tocsinTheme.get()];
    replace(button, icon(name));
    button.title = label;
    button.setAttribute("aria-label", label);
  };
  button.addEventListener("click", () => {
    window.tocsinTheme.next();
    draw();
  });
  draw();
}

// The address after # names a conversation, so the skip links move focus by hand. The Home
// tab has no composer.
function startSkipLinks() {
  for (const link of document.querySelectorAll(".skip")) {
    link.addEventListener("click", (e) => {
      e.preventDefault();
      const place = document.querySelector(link.getAttribute("href"));
      const field = place.matches(".composer") && place.querySelector("textarea");
      (field && field.checkVisibility() ? field : document.getElementById("conversation")).focus();
    });
  }
}

// On a phone the sidebar opens on top of the conversation, and what is below it is out of reach.
function startPhone() {
  const phone = matchMedia("(max-width: 640px)");
  const [side, button] = ["sidebar", "open-sidebar"].map((id) => document.getElementById(id));
  const show = (open) => {
    document.body.classList.toggle("sidebar-open", open);
    side.inert = phone.matches && !open;
    document.getElementById("conversation").inert = open;
    button.setAttribute("aria-expanded", String(open));
  };
  const close = () => {
    show(false);
    button.focus();
  };
  replace(button, icon("menu"));
  button.addEventListener("click", () => {
    show(true);
    (side.querySelector("[aria-current]") ?? side.querySelector("button")).focus();
  });
  side.addEventListener("click", (e) => phone.matches && e.target.closest(".side-item") && show(false));
  side.addEventListener("keydown", (e) => phone.matches && e.key === "Escape" && !e.defaultPrevented && close());
  document.getElementById("scrim").addEventListener("click", close);
  phone.addEventListener("change", () => show(false));
  on("view", () => show(false));
  show(false);
}

function start() {
  replace(document.getElementById("mark"), icon("bell"));
  startTheme();
  startSidebar(switchUser);
  startConversation();
  startThread();
  startHome();
  startModals();
  startPanel();
  keepFresh();
  on("view", toAddress);
  on("toast", (e) => toast(e.text, e.kind));
  on("online", () => {
    const banner = document.getElementById("offline");
    banner.hidden = state.online;
    replace(banner, h("span.spinner"), "The playground does not answer. Trying again…");
  });
  startSkipLinks();
  startPhone();
  addEventListener("hashchange", () => state.ready && go(fromAddress()));
  begin(user);
}

start();
