// panel.js is the column at the right: push a sample alert, make things go wrong, and
// see how many sockets are open. It folds to a rail when there is no room.

import { h, icon, iconButton, replace } from "./dom.js";
import { channelSection, faultsSection, socketsSection } from "./faults.js";
import { on, state } from "./store.js";
import { pushSection, prefill } from "./push.js";

const KEY = "tocsin.panel";
const $ = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 1100px)");
const crowded = matchMedia("(max-width: 1360px)");
let peek = false;

const wanted = () => localStorage.getItem(KEY) !== "closed";
const tight = () => narrow.matches || (crowded.matches && Boolean(state.view.thread));
const isOpen = () => (tight() ? peek : wanted());

/** startPanel builds the panel and its rail. */
export function startPanel() {
  const panel = $("panel");
  replace(panel,
    h("header.side-panel-head", null, h("div", null, h("h2", null, "Try it out"), h("p.side-panel-note", null, "Only on this page, not in Slack")), iconButton("close", "Fold the panel", () => setOpen(false), { "data-testid": "panel-close" })),
    h("div.panel-body", null, pushSection(), faultsSection(), channelSection(), socketsSection()));
  panel.addEventListener("keydown", (e) => e.key === "Escape" && tight() && setOpen(false));
  replace($("open-panel"), icon("bell"));
  $("open-panel").addEventListener("click", () => setOpen(true));
  drawRail();
  narrow.addEventListener("change", sync);
  crowded.addEventListener("change", sync);
  on("view", ({ before } = {}) => {
    if (before && before.thread !== state.view.thread) peek = false;
    sync();
  });
  on("faults sockets", drawRail);
  sync();
}

/** openPanel unfolds the panel with the alert form filled in with fields. */
export function openPanel(fields) {
  setOpen(true);
  prefill(fields);
}

function setOpen(open) {
  if (tight()) peek = open;
  else localStorage.setItem(KEY, open ? "open" : "closed");
  sync();
  if (open) $("panel").querySelector("button, input, select")?.focus();
  else ($("open-panel").checkVisibility() ? $("open-panel") : $("rail").querySelector("button"))?.focus();
}

function sync() {
  $("panel").hidden = !isOpen();
  $("rail").hidden = isOpen();
  $("panel").classList.toggle("over", tight());
}

function railButton(name, label, badge, testid) {
  return h("button.rail-button", { type: "button", "aria-label": label, title: label, "data-testid": testid, onclick: () => setOpen(true) }, icon(name), badge ? h("span.rail-badge", null, badge) : null);
}

function drawRail() {
  replace($("rail"),
    railButton("bell", "Push an alert", "", "panel-toggle"),
    railButton("bolt", `Faults: ${state.faults.length} on`, state.faults.length ? String(state.faults.length) : "", "rail-faults"),
    railButton("plug", `${state.sockets} ${state.sockets === 1 ? "socket" : "sockets"} open`, String(state.sockets), "rail-sockets"));
  $("rail").lastChild.classList.toggle("none", state.sockets === 0);
}
