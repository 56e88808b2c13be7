// dialog.js opens native modal dialogs: focus stays inside, Escape closes, and focus
// goes back to where it was.

import { h, iconButton } from "./dom.js";
import { plain, text } from "./text.js";

const FOCUSABLE = "a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea:not([disabled]), [tabindex='0']";

/** dialog shows el's content as a modal dialog; onclose runs once when it closes. */
export function dialog(props, content, onclose) {
  const back = document.activeElement;
  const el = h("dialog.dialog", props, content);
  el.addEventListener("keydown", wrapTab);
  el.addEventListener("close", () => {
    el.remove();
    if (back?.isConnected) back.focus();
    onclose?.(el.returnValue);
  });
  document.body.append(el);
  el.showModal();
  return el;
}

// wrapTab keeps Tab inside the dialog instead of the browser's own buttons.
function wrapTab(e) {
  if (e.key !== "Tab") return;
  const all = [...e.currentTarget.querySelectorAll(FOCUSABLE)].filter((el) => el.offsetParent !== null);
  const edge = e.shiftKey ? all[0] : all[all.length - 1];
  if (document.activeElement !== edge || all.length === 0) return;
  e.preventDefault();
  (e.shiftKey ? all[all.length - 1] : all[0]).focus();
}

/** titled is the frame all dialogs share: title, close button, body, foot. */
export function titled(title, body, foot, close) {
  return h("div.dialog-frame", null,
    h("header.dialog-head", null, h("h2", { id: "dialog-title" }, title), iconButton("close", "Close", close)),
    h("div.dialog-body", null, body),
    foot ? h("footer.dialog-foot", null, foot) : null);
}

/** confirm asks with a Block Kit confirm object; resolves to true or false. */
export function confirm(object, ctx) {
  return new Promise((resolve) => {
    const done = (yes) => () => el.close(yes ? "yes" : "");
    const foot = [
      h("button.button", { type: "button", onclick: done(false), "data-testid": "confirm-deny" }, plain(object.deny) || "Cancel"),
      h("button.button", { type: "button", class: object.style === "danger" ? "danger" : "primary", onclick: done(true), autofocus: true, "data-testid": "confirm-ok" }, plain(object.confirm) || "Yes"),
    ];
    const el = dialog({ class: "dialog-small", "aria-labelledby": "dialog-title", "data-testid": "confirm" },
      titled(plain(object.title) || "Are you sure?", h("p.preserve", null, text(object.text, ctx)), foot, done(false)),
      (value) => resolve(value === "yes"));
  });
}

/** showJSON shows data as the API holds it. */
export function showJSON(title, data) {
  const el = dialog({ class: "dialog-wide", "aria-labelledby": "dialog-title", "data-testid": "json" },
    titled(title, h("pre.json", { tabindex: "0" }, JSON.stringify(data, null, 2)), null, () => el.close()));
}
