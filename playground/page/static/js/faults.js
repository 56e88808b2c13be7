// faults.js switches what goes wrong: faults of the Web API, and accidents of the sockets.

import { perform } from "./context.js";
import { h, icon, replace } from "./dom.js";
import { answerText } from "./elements.js";
import { current, on, reachable, state } from "./store.js";
import { toast } from "./toast.js";

const SECOND = 1e9; // delays are in nanoseconds

const KINDS = [
  { kind: "429", label: "Throttled", note: "429, wait 5 s", fault: { retry_after: 5 } },
  { kind: "503", label: "Server errors", note: "503", fault: {} },
  { kind: "slow", label: "Slow", note: "after 3 s", fault: { delay: 3 * SECOND } },
  { kind: "lost", label: "Answer lost", note: "done, no answer", fault: {} },
  { kind: "timeout", label: "Silence", note: "not done, no answer", fault: {} },
  { kind: "revoked", label: "Token revoked", note: "every call fails", fault: {} },
  { kind: "block", label: "Charts unknown", note: "block refused", fault: { block: "data_visualization" }, everywhere: true },
];

const SOCKET = [
  { action: "refresh", label: "Refresh", note: "Slack asks for a new connection" },
  { action: "cut", label: "Cut", note: "The connection dies without a word" },
  { action: "freeze", label: "Freeze", note: "The connection stays, but nothing moves" },
];

let where = null;

async function report(promise) {
  const answer = await promise;
  if (answer.ok === false) toast(answerText(answer, state.bot.name), "warn");
  return answer;
}

// toggle switches one kind. The server knows only "clear all", so that the others are
// switched on again after it.
async function toggle(known) {
  const rest = state.faults.filter((fault) => fault.kind !== known.kind);
  if (rest.length === state.faults.length) {
    await report(perform({ do: "fault", kind: known.kind, channel: (!known.everywhere && where.value) || undefined, ...known.fault }));
    return;
  }
  await report(perform({ do: "clear_faults" }));
  for (const fault of rest) await report(perform({ do: "fault", ...fault }));
}

function place(fault) {
  if (!fault?.channel) return "";
  const name = state.channels.get(fault.channel)?.name ?? fault.channel.replace(/^#/, "");
  return `only #${name}`;
}

function row(known) {
  const fault = state.faults.find((f) => f.kind === known.kind);
  return h("button.switch-row", { type: "button", role: "switch", "aria-checked": String(Boolean(fault)), "data-testid": `fault-${known.kind}`, onclick: () => toggle(known) },
    h("span.switch-name", null, known.label), h("span.switch-note", null, place(fault) || known.note), h("span.switch", { "aria-hidden": "true" }));
}

// Faults set from elsewhere (a test, another tab) are listed too, to be cleared with the rest.
function others() {
  const kinds = new Set(KINDS.map((known) => known.kind));
  return state.faults.filter((fault) => !kinds.has(fault.kind)).map((fault) => h("p.switch-other", null, icon("bolt"), `${fault.kind}${fault.method ? ` on ${fault.method}` : ""} ${fault.error ?? ""}`));
}

function draw(list, clear) {
  const focus = list.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
  replace(list, KINDS.map(row), others());
  clear.hidden = state.faults.length === 0;
  if (focus) list.querySelector(`[data-testid="${CSS.escape(focus)}"]`)?.focus();
}

/** faultsSection is the part of the panel with the Web API's faults. */
export function faultsSection() {
  where = h("select.field.field-small", { "aria-label": "Where faults apply", "data-testid": "fault-channel" });
  const clear = h("button.link-button", { type: "button", hidden: true, "data-testid": "fault-clear", onclick: () => report(perform({ do: "clear_faults" })) }, "Clear all");
  const list = h("div.switches");
  on("faults", () => draw(list, clear));
  on("channels", () => {
    const keep = where.value;
    replace(where, h("option", { value: "" }, "everywhere"), [...state.channels.values()].filter((c) => !c.is_im).map((c) => h("option", { value: c.id }, `only #${c.name}`)));
    where.value = keep;
  });
  return h("section.panel-section", { "aria-label": "Faults" }, h("div.section-head", null, h("h3", null, "Slack misbehaves"), clear), h("label.form-inline", null, "New faults apply", where), list);
}

function channelSwitch(name, label, note, on, change) {
  return h("button.switch-row", { type: "button", role: "switch", "aria-checked": String(on), "data-testid": `channel-${name}-switch`, onclick: () => report(perform({ do: "channel", channel: current().id, ...change })) },
    h("span.switch-name", null, label), h("span.switch-note", null, note), h("span.switch", { "aria-hidden": "true" }));
}

/** channelSection is the part of the panel that spoils the conversation one looks at. */
export function channelSection() {
  const el = h("section.panel-section", { "aria-label": "This channel" });
  const drawSwitches = () => {
    const channel = current();
    el.hidden = !channel || channel.is_im;
    if (el.hidden) return;
    const focus = el.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
    replace(el, h("div.section-head", null, h("h3", null, `#${channel.name}`)),
      channelSwitch("archived", "Archived", "nobody can write", channel.is_archived, { archived: !channel.is_archived }),
      channelSwitch("without", `Without ${state.bot.name}`, "the bot is thrown out", !channel.is_member, { member: !channel.is_member }));
    if (focus) el.querySelector(`[data-testid="${focus}"]`)?.focus();
  };
  on("channels view", drawSwitches);
  return el;
}

/** socketsSection is the part of the panel with the Socket Mode connections. */
export function socketsSection() {
  const count = h("p.socket-count", { role: "status", "data-testid": "sockets" });
  on("sockets", () => {
    count.dataset.count = state.sockets;
    count.classList.toggle("none", !reachable());
    replace(count, h("span.presence", { class: reachable() ? "up" : "" }), state.requestsTo ? `Requests to ${state.requestsTo}` : state.sockets === 0 ? "No live socket" : `${state.sockets} live ${state.sockets === 1 ? "socket" : "sockets"}`);
  });
  const buttons = SOCKET.map(({ action, label, note }) => h("button.button.small", { type: "button", title: note, "data-testid": `fault-${action}`, onclick: async () => {
    const answer = await report(perform({ do: "socket", action }));
    if (answer.ok !== false) toast(`${label}: ${note.toLowerCase()}`);
  } }, label));
  return h("section.panel-section", { "aria-label": "Connections" }, h("div.section-head", null, h("h3", null, "Connections"), count), h("div.button-row", null, buttons));
}
