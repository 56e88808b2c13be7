// home.js draws the bot's App Home as the person sees it.

import { blocks } from "./blocks.js";
import { contextOf } from "./context.js";
import { h, icon, replace } from "./dom.js";
import { valuesOf } from "./elements.js";
import { on, state } from "./store.js";

let ctx = null;

/** startHome keeps the Home view in step with what the bot publishes. */
export function startHome() {
  on("home", drawHome);
}

/** drawHome draws the view, or says that there is none yet. */
export function drawHome() {
  const el = document.getElementById("home");
  if (el.hidden) return;
  if (!state.home) {
    ctx = null;
    replace(el, h("div.empty", { "data-testid": "home-empty" }, h("span.empty-icon", null, icon("bell")), h("h2", null, "Nothing here yet"),
      h("p", null, state.sockets > 0 ? `${state.bot.name} has been told that you opened its Home. What it publishes appears here.` : `${state.bot.name} is not connected, so it does not know that you opened its Home.`)));
    return;
  }
  const at = focusIn(el);
  const kept = ctx ? valuesOf(ctx) : undefined;
  ctx = contextOf(`home-${state.home.hash ?? ""}`, { view_id: state.home.id }, { kept });
  replace(el, h("div.home-view", { "data-testid": "home-view", "data-view": state.home.id }, blocks(state.home.blocks, ctx)));
  if (at) [...el.querySelectorAll("[data-testid]")].find((node) => node.dataset.testid === at)?.focus();
}

function focusIn(el) {
  return el.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
}
