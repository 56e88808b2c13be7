// modal.js shows the topmost modal view: its inputs, errors at their fields, and the
// way back when views are stacked.

import { blocks } from "./blocks.js";
import { contextOf, perform } from "./context.js";
import { dialog, titled } from "./dialog.js";
import { h, icon, replace } from "./dom.js";
import { answerText, valuesOf } from "./elements.js";
import { on, state } from "./store.js";
import { plain } from "./text.js";

let open = null; // {el, view, ctx, busy}
const typed = new Map(); // what was filled in, by view id

/** startModals keeps the dialog in step with the stack of views. */
export function startModals() {
  on("modals", sync);
}

function sync() {
  const view = state.modals[state.modals.length - 1] ?? null;
  if (open?.view === view) return;
  if (open) typed.set(open.view.id, valuesOf(open.ctx));
  for (const id of typed.keys()) if (!state.modals.some((known) => known.id === id)) typed.delete(id);
  if (!view) {
    const el = open?.el;
    open = null;
    el?.close();
    return;
  }
  show(view);
}

// show draws view, in the dialog that is open or in a new one; what was typed into
// blocks of the same id stays.
function show(view) {
  const ctx = contextOf(`modal-${view.id}`, { view_id: view.id }, { kept: typed.get(view.id) });
  const form = h("form.modal", { novalidate: true, "data-testid": "modal-form" }, titled(plain(view.title), [h("p.modal-error", { role: "alert", hidden: true, "data-testid": "modal-error" }), blocks(view.blocks, ctx)], foot(view), shut));
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    submit();
  });
  const el = open?.el ?? dialog({ class: "dialog-modal", "aria-labelledby": "dialog-title", "data-testid": "modal" }, null, () => gone(el));
  el.dataset.view = view.id;
  el.oncancel = (e) => {
    e.preventDefault();
    shut();
  };
  const focused = el.contains(document.activeElement) ? document.activeElement.id : "";
  replace(el, form);
  open = { el, view, ctx, busy: false };
  const first = (focused && document.getElementById(focused)) || form.querySelector(".dialog-body input, .dialog-body select, .dialog-body textarea") || form.querySelector(".dialog-foot button:last-child");
  first?.focus();
}

function foot(view) {
  const hasInput = (view.blocks ?? []).some((block) => block.type === "input");
  const back = state.modals.length > 1;
  const submitLabel = plain(view.submit) || (hasInput ? "Submit" : "");
  return [
    h("button.button", { type: "button", onclick: shut, "data-testid": "modal-close" }, plain(view.close) || (submitLabel ? (back ? "Back" : "Cancel") : "Close")),
    submitLabel ? h("button.button.primary", { type: "submit", "data-testid": "modal-submit" }, h("span.spinner"), h("span", null, submitLabel)) : null,
  ];
}

// gone runs after the dialog closed; when the browser did that by itself, the view goes too.
function gone(el) {
  if (open?.el === el) shut();
}

function shut() {
  if (!open) return;
  const { view } = open;
  state.modals = state.modals.filter((known) => known.id !== view.id);
  perform({ do: "close", view_id: view.id });
  sync();
}

// complain shows errors at their fields and goes to the first; what has no field is
// shown at the top.
function complain(errors) {
  const { el } = open;
  const loose = [];
  for (const node of el.querySelectorAll(".block-input")) {
    const words = errors[node.dataset.block] ?? "";
    const error = node.querySelector(".input-error");
    error.textContent = words;
    error.hidden = !words;
    node.classList.toggle("invalid", Boolean(words));
    node.querySelector("[data-testid^=field-]")?.setAttribute("aria-invalid", String(Boolean(words)));
  }
  for (const [block, words] of Object.entries(errors)) if (!el.querySelector(`[data-block="${CSS.escape(block)}"]`)) loose.push(words);
  top(loose.join(" "));
  const first = el.querySelector(".invalid [data-testid^=field-]");
  (first?.matches("div") ? first.querySelector("input") : first)?.focus();
}

function top(words) {
  const el = open.el.querySelector(".modal-error");
  replace(el, words ? [icon("warn"), h("span", null, words)] : []);
  el.hidden = !words;
}

const EMPTY = (value) => Object.entries(value).every(([key, v]) => key === "type" || v === null || v === "" || (Array.isArray(v) && v.length === 0));

// missing is what Slack's own client checks before it sends anything.
function missing(view, values) {
  const errors = {};
  for (const block of view.blocks ?? []) {
    if (block.type !== "input") continue;
    const value = values[block.block_id]?.[block.element?.action_id];
    const least = block.element?.min_length ?? 0;
    if (!block.optional && (!value || EMPTY(value))) errors[block.block_id] = "Please complete this required field.";
    else if (value?.value && value.value.length < least) errors[block.block_id] = `At least ${least} characters.`;
  }
  return errors;
}

async function submit() {
  if (!open || open.busy) return;
  const { el, view, ctx } = open;
  const values = valuesOf(ctx);
  const errors = missing(view, values);
  complain(errors);
  if (Object.keys(errors).length) return;
  open.busy = true;
  el.classList.add("busy");
  const answer = await perform({ do: "submit", view_id: view.id, values });
  el.classList.remove("busy");
  if (!open || open.view !== view) return;
  open.busy = false;
  if (answer.errors && Object.keys(answer.errors).length) complain(answer.errors);
  else if (answer.ok === false) top(`We had some trouble connecting. ${answerText(answer, ctx.botName)}. Try again?`);
}
