// inputs.js makes the controls behind Block Kit's inputs from the browser's own. Each
// maker takes (element, ctx, field) and gives {node, read(), listen(fn)}; read() is the
// part of view.state that Slack would send.

import { h } from "./dom.js";
import { bare } from "./emoji.js";
import { state } from "./store.js";
import { plain, text } from "./text.js";

const named = (field, props) => ({ id: field.id, "aria-label": field.label, "aria-describedby": field.describedby, ...props });

function textField(el, ctx, field) {
  const kept = field.kept?.[el.action_id];
  const props = named(field, { placeholder: plain(el.placeholder), maxlength: el.max_length, minlength: el.min_length, value: kept?.value ?? el.initial_value ?? "" });
  const kind = { number_input: "number", email_text_input: "email", url_text_input: "url" }[el.type] ?? "text";
  const number = kind === "number" ? { min: el.min_value, max: el.max_value, step: el.is_decimal_allowed ? "any" : "1" } : {};
  const node = el.multiline ? h("textarea.field", { rows: "4", ...props }) : h("input.field", { type: kind, autocomplete: "off", ...number, ...props });
  return {
    node,
    read: () => ({ value: node.value === "" ? null : node.value }),
    listen: (fn) => typing(node, el, fn),
  };
}

// typing reports what dispatch_action_config asks for: Enter, which then sends no form, or each character.
function typing(node, el, fn) {
  const when = el.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  if (when.includes("on_character_entered")) node.addEventListener("input", fn);
  if (!when.includes("on_enter_pressed")) return;
  const enter = (e) => e.key === "Enter" && !e.isComposing && (!el.multiline || e.ctrlKey);
  node.addEventListener("keydown", (e) => enter(e) && (e.preventDefault(), fn()));
}

const people = () => [...state.users.values()].filter((user) => !user.deleted).sort((a, b) => Boolean(a.is_bot) - Boolean(b.is_bot))
  .map((user) => ({ value: user.id, label: `${user.real_name && user.real_name !== user.name ? `${user.real_name} (@${user.name})` : `@${user.name}`}${user.id === state.me.id ? ", you" : ""}` }));
const places = (all) => () => [...state.channels.values()].filter((c) => !c.is_archived && (all || !c.is_im))
  .map((c) => ({ value: c.id, label: c.is_im ? (state.users.get(c.user)?.name ?? c.name) : `#${c.name}` }));

// Selects whose options come from the workspace: [options, name of the value, name of the initial value].
const LISTS = {
  users_select: [people, "selected_user", "initial_user"],
  conversations_select: [places(true), "selected_conversation", "initial_conversation"],
  channels_select: [places(false), "selected_channel", "initial_channel"],
  multi_users_select: [people, "selected_users", "initial_users"],
  multi_conversations_select: [places(true), "selected_conversations", "initial_conversations"],
  multi_channels_select: [places(false), "selected_channels", "initial_channels"],
};

function select(node, placeholder, chosen) {
  node.prepend(h("option", { value: "", disabled: true, hidden: true, selected: !chosen }, placeholder || "Choose…"));
  node.value = chosen ?? "";
  return node;
}

function listSelect(el, ctx, field) {
  const [options, name, initial] = LISTS[el.type];
  const kept = field.kept?.[el.action_id];
  const node = h("select.field", named(field), options().map((o) => h("option", { value: o.value }, o.label)));
  select(node, bare(plain(el.placeholder)), kept?.[name] ?? el[initial]);
  return { node, read: () => ({ [name]: node.value || null }), listen: (fn) => node.addEventListener("change", fn) };
}

const optionsOf = (el) => [...(el.options ?? []), ...(el.option_groups ?? []).flatMap((group) => group.options ?? [])];
const optionNode = (o) => h("option", { value: o.value }, bare(plain(o.text) + (o.description ? ` (${plain(o.description)})` : "")));

function staticSelect(el, ctx, field) {
  const all = optionsOf(el);
  const kept = field.kept?.[el.action_id];
  const node = h("select.field", named(field),
    (el.options ?? []).map(optionNode),
    (el.option_groups ?? []).map((group) => h("optgroup", { label: bare(plain(group.label)) }, (group.options ?? []).map(optionNode))));
  select(node, bare(plain(el.placeholder)), (kept?.selected_option ?? el.initial_option)?.value);
  return { node, read: () => ({ selected_option: all.find((o) => o.value === node.value) ?? null }), listen: (fn) => node.addEventListener("change", fn) };
}

const pad = (n) => String(n).padStart(2, "0");
const local = (unix) => {
  const d = new Date(unix * 1000);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}T${pad(d.getHours())}:${pad(d.getMinutes())}`;
};

const WHEN = {
  datepicker: { type: "date", name: "selected_date", initial: (el) => el.initial_date, out: (v) => v },
  timepicker: { type: "time", name: "selected_time", initial: (el) => el.initial_time, out: (v) => v },
  datetimepicker: { type: "datetime-local", name: "selected_date_time", initial: (el) => el.initial_date_time && local(el.initial_date_time), out: (v) => Math.floor(new Date(v).getTime() / 1000), back: local },
};

function when(el, ctx, field) {
  const { type, name, initial, out, back } = WHEN[el.type];
  const kept = field.kept?.[el.action_id]?.[name];
  const node = h("input.field.field-when", named(field, { type, value: (kept && back ? back(kept) : kept) ?? initial(el) ?? "" }));
  return { node, read: () => ({ [name]: node.value ? out(node.value) : null }), listen: (fn) => node.addEventListener("change", fn) };
}

/** control finds the maker for an element with one value; undefined when there is none. */
export function control(type) {
  if (type in WHEN) return when;
  if (type in LISTS) return listSelect;
  return { static_select: staticSelect, plain_text_input: textField, number_input: textField, email_text_input: textField, url_text_input: textField }[type];
}

function group(el, field, kind, options, chosen) {
  const boxes = options.map((o, i) => h("input", { type: kind, name: `${field.id}-${el.action_id}`, value: o.value, checked: chosen.has(o.value), id: `${field.id}-${i}` }));
  const labels = options.map((o, i) => h("label.choice", { for: `${field.id}-${i}` }, boxes[i],
    h("span", null, o.label, o.note?.length ? h("span.choice-note", null, o.note) : null)));
  const node = h("div.choices", { role: kind === "radio" ? "radiogroup" : "group", "aria-label": field.label, "aria-describedby": field.describedby }, labels);
  return { node, picked: () => boxes.filter((box) => box.checked).map((box) => box.value) };
}

/** choice makes radio buttons and checkboxes. */
export function choice(el, ctx, field) {
  const radio = el.type === "radio_buttons";
  const kept = field.kept?.[el.action_id];
  const begin = radio ? [kept ? kept.selected_option : el.initial_option] : (kept?.selected_options ?? el.initial_options ?? []);
  const options = (el.options ?? []).map((o) => ({ value: o.value, label: text(o.text, ctx), note: text(o.description, ctx) }));
  const { node, picked } = group(el, field, radio ? "radio" : "checkbox", options, new Set(begin.filter(Boolean).map((o) => o.value)));
  const chosen = () => el.options.filter((o) => picked().includes(o.value));
  return { node, read: () => (radio ? { selected_option: chosen()[0] ?? null } : { selected_options: chosen() }), listen: (fn) => node.addEventListener("change", fn) };
}

/** multi makes the selects of many values as a list of boxes. */
export function multi(el, ctx, field) {
  const list = LISTS[el.type];
  const all = optionsOf(el);
  const kept = field.kept?.[el.action_id];
  const begin = list ? (kept?.[list[1]] ?? el[list[2]] ?? []) : (kept?.selected_options ?? el.initial_options ?? []).map((o) => o.value);
  const options = list ? list[0]() : all.map((o) => ({ value: o.value, label: text(o.text, ctx), note: text(o.description, ctx) }));
  const { node, picked } = group(el, field, "checkbox", options, new Set(begin));
  node.classList.add("choices-many");
  const read = () => (list ? { [list[1]]: picked() } : { selected_options: all.filter((o) => picked().includes(o.value)) });
  return { node, read, listen: (fn) => node.addEventListener("change", fn) };
}
