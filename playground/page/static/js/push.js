// push.js is the form that pushes a sample alert to the daemon.

import { perform } from "./context.js";
import { h, icon, replace } from "./dom.js";
import { answerText } from "./elements.js";
import { on, state } from "./store.js";
import { toast } from "./toast.js";

const SEVERITIES = ["critical", "error", "warning", "info"];
const DISK = { title: "disk full on db-3", text: "/var is at 98 %, 1.2 GB left. It fills in about 20 minutes.", severity: "critical", key: "disk-db-3", status: "firing" };
const fields = {};
let last = null;

function labelled(name, label, control) {
  control.id = `alert-${name}`;
  control.dataset.testid = `alert-${name}`;
  fields[name] = control;
  return h("div.form-row", { class: `row-${name}` }, h("label", { for: control.id }, label), control);
}

const selectOf = (values) => h("select.field", null, values.map((value) => h("option", { value }, value)));

function form() {
  const el = h("form.push-form", { novalidate: true, autocomplete: "off" },
    labelled("title", "Title", h("input.field", { type: "text", placeholder: "disk full on db-3" })),
    labelled("text", "Text", h("textarea.field", { rows: "2", placeholder: "What happened" })),
    h("div.form-pair", null,
      labelled("severity", "Severity", selectOf(SEVERITIES)),
      labelled("status", "Status", selectOf(["firing", "resolved"]))),
    h("div.form-pair", null,
      labelled("channel", "Channel", h("select.field")),
      labelled("key", "Key", h("input.field", { type: "text", placeholder: "from the title" }))),
    h("button.button.primary.wide", { type: "submit", "data-testid": "alert-push" }, h("span.spinner"), icon("bell"), h("span", null, "Push alert")),
    h("p.form-error", { role: "alert", "data-testid": "alert-error" }));
  el.addEventListener("submit", (e) => {
    e.preventDefault();
    pushForm(el);
  });
  return el;
}

function presets() {
  const preset = (label, note, testid, run) => h("button.preset", { type: "button", title: note, "data-testid": testid, onclick: run }, label);
  return h("div.presets", { role: "group", "aria-label": "Samples" },
    preset("Disk full", "A critical alert with a key: push it again and its card changes", "preset-disk", () => fill({ ...DISK, channel: fields.channel.value }) && submit()),
    preset("Burst of 20", "Twenty different alerts at once", "preset-burst", burst),
    preset("Resolve last", "The last alert again, with status resolved", "preset-resolve", resolveLast));
}

function fill(values) {
  for (const [name, value] of Object.entries(values)) if (fields[name] && value !== undefined) fields[name].value = value;
  return true;
}

/** prefill fills in parts of the form. */
export function prefill(values = {}) {
  fill(values);
  fields.title.focus();
}

function submit() {
  fields.title.form.requestSubmit();
}

async function pushForm(el) {
  const values = Object.fromEntries(Object.entries(fields).map(([name, control]) => [name, control.value.trim()]));
  if (!values.title && !values.text) {
    complain(el, "Give the alert a title or a text.");
    fields.title.focus();
    return;
  }
  if (el.classList.contains("busy")) return;
  el.classList.add("busy");
  const answer = await push(values);
  el.classList.remove("busy");
  told(answer, values.status === "resolved" ? "Pushed: resolved" : "Pushed");
}

const note = h("p.form-note", { role: "status", "data-testid": "alert-note" });
let noted = 0;

// told says beside the form what became of a push.
function told(answer, words) {
  complain(fields.title.form, answer.ok === false ? answerText(answer, state.bot.name) : "");
  replace(note, answer.ok === false ? [] : [icon("check"), words]);
  clearTimeout(noted);
  noted = setTimeout(() => replace(note), 3000);
}

function complain(el, words) {
  el.querySelector(".form-error").textContent = words;
}

// push sends one alert; empty fields are left out.
async function push(values) {
  const alert = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
  const answer = await perform({ do: "alert", ...alert });
  if (answer.ok !== false) last = values;
  return answer;
}

async function burst() {
  const run = Date.now().toString(36);
  const channel = fields.channel.value;
  const all = Array.from({ length: 20 }, (_, i) => push({ title: `queue ${i + 1} is stuck`, text: `No message was taken for ${2 + i} minutes.`, severity: SEVERITIES[i % 4], key: `burst-${run}-${i + 1}`, channel }));
  const answers = await Promise.all(all);
  told(answers.find((answer) => answer.ok === false) ?? {}, "20 alerts pushed");
}

async function resolveLast() {
  if (!last) {
    toast("Nothing was pushed from here yet");
    return;
  }
  told(await push({ ...last, status: "resolved" }), "Pushed: resolved");
}

function drawChannels() {
  const keep = fields.channel.value;
  const open = [...state.channels.values()].filter((c) => !c.is_im).sort((a, b) => a.name.localeCompare(b.name));
  replace(fields.channel, h("option", { value: "" }, "default"), open.map((c) => h("option", { value: `#${c.name}` }, `#${c.name}`)));
  fields.channel.value = keep;
}

/** pushSection is the part of the panel with the samples and the form. */
export function pushSection() {
  const el = h("section.panel-section", { "aria-label": "Push an alert" }, h("div.section-head", null, h("h3", null, "Push an alert"), note), presets(), form());
  on("channels", drawChannels);
  return el;
}
