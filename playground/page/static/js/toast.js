// toast.js says short things at the top of the page, also to screen readers.

import { h, icon } from "./dom.js";

/** toast shows words for a few seconds; kind "warn" marks trouble and stays longer. */
export function toast(words, kind = "") {
  const box = document.getElementById("toasts");
  const el = h("div.toast", { class: kind, "data-testid": "toast" }, kind === "warn" ? icon("warn") : null, h("span", null, words));
  box.append(el);
  while (box.children.length > 2) box.firstChild.remove();
  setTimeout(() => el.remove(), kind === "warn" ? 7000 : 2500);
}

/** say tells words to screen readers only. */
export function say(words) {
  document.getElementById("announcer").textContent = words;
}
