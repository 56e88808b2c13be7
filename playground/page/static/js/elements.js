// elements.js draws the interactive elements of Block Kit and reports what people do
// with them. ctx.click(action) resolves to the server's answer; ctx.inputs collects
// what is filled in, as view.state.values wants it.

import { h, icon, safeURL } from "./dom.js";
import { confirm } from "./dialog.js";
import { choice, control, multi } from "./inputs.js";
import { menu } from "./menu.js";
import { plain, text } from "./text.js";

/** answerText says in words why a click was not answered. */
export function answerText(answer, bot) {
  if (answer.error === "operation_timeout") return `${bot} did not answer within 3 seconds (operation_timeout)`;
  if (answer.error === "dispatch_failed") return `${bot} is not connected (dispatch_failed)`;
  return answer.hint || answer.error || "That did not work";
}

// send reports one action; while the answer is out, the element is busy.
async function send(wrap, el, block, fields, ctx) {
  if (wrap.classList.contains("busy")) return;
  if (el.confirm && !(await confirm(el.confirm, ctx))) return;
  const row = wrap.closest(".block-actions") ?? wrap;
  row.querySelector(".element-warning")?.remove();
  wrap.classList.add("busy");
  wrap.firstChild.setAttribute("aria-busy", "true");
  const answer = await ctx.click({ block_id: block.block_id, action_id: el.action_id, type: el.type, ...fields });
  wrap.classList.remove("busy");
  wrap.firstChild.removeAttribute("aria-busy");
  if (answer.ok !== false) return;
  const why = answerText(answer, ctx.botName);
  row.append(h("span.element-warning", { role: "status", title: why, "data-testid": `warning-${el.action_id}` }, icon("warn"), h("span", null, why)));
}

function wrapped(node, testid) {
  node.setAttribute("data-testid", testid);
  return h("span.element", null, node);
}

function button(el, block, ctx) {
  const props = {
    type: "button",
    class: el.style === "primary" || el.style === "danger" ? el.style : "",
    "aria-label": el.accessibility_label,
    "data-action": el.action_id,
  };
  const label = text(el.text, ctx);
  const href = el.url ? safeURL(el.url) : null;
  const node = href
    ? h("a.button", { ...props, type: null, href, target: "_blank", rel: "noopener noreferrer" }, label, icon("external"))
    : h("button.button", props, label);
  const wrap = wrapped(node, `action-${el.action_id}`);
  node.addEventListener("click", () => send(wrap, el, block, { value: el.value }, ctx));
  return wrap;
}

function overflow(el, block, ctx) {
  const node = h("button.button.button-square", { type: "button", "aria-label": "More actions", title: "More actions", "aria-haspopup": "menu", "aria-expanded": "false", "data-action": el.action_id }, icon("more"));
  const wrap = wrapped(node, `action-${el.action_id}`);
  const items = (el.options ?? []).map((option) => ({
    label: plain(option.text),
    note: plain(option.description),
    href: option.url && safeURL(option.url),
    testid: `option-${option.value}`,
    run: () => send(wrap, el, block, { selected_option: option }, ctx),
  }));
  node.addEventListener("click", () => menu(node, items, "More actions"));
  return wrap;
}

function image(el) {
  return pictureOf(addressOf(el), el.alt_text, "element-image");
}

/** addressOf is where an image block's or element's picture is; files lie on this server, under whatever name the page was opened. */
export function addressOf(image) {
  if (image.image_url) return image.image_url;
  const id = image.slack_file?.id ?? /\/files\/([^/]+)\//.exec(image.slack_file?.url ?? "")?.[1];
  return id ? `/files/${id}/picture` : "";
}

/** pictureOf shows an image; one from elsewhere is fetched only when asked for. */
export function pictureOf(url, alt, className) {
  const same = /^(\/(?!\/)|data:image\/)/.test(url ?? "") || (url ?? "").startsWith(`${location.origin}/`);
  const img = () => h("img", { class: className, src: url, alt: alt ?? "", loading: "lazy", referrerpolicy: "no-referrer" });
  if (same) return img();
  const host = /^https?:\/\/([^/?#]+)/.exec(url ?? "")?.[1] ?? "elsewhere";
  const ask = h("button.image-ask", { type: "button", class: `${className}-ask`, title: `${alt ?? "Image"}: load from ${host}`, "aria-label": `Load image from ${host}: ${alt ?? ""}` }, icon("image"), h("span", null, `Load from ${host}`));
  ask.addEventListener("click", () => ask.replaceWith(img()));
  return ask;
}

// Everything with a value: in an input block it waits for Submit, elsewhere (and with
// dispatch_action) each change is an action of its own.
function valued(el, block, ctx, make) {
  const made = make(el, ctx, fieldOf(el, block, ctx));
  register(ctx, block.block_id, el.action_id, () => ({ type: el.type, ...made.read() }));
  const wrap = h("span.element", { class: block.type === "input" ? "element-wide" : "" }, made.node);
  made.node.setAttribute("data-testid", block.type === "input" ? `field-${block.block_id}` : `action-${el.action_id}`);
  if (block.type !== "input" || block.dispatch_action) made.listen(() => send(wrap, el, block, made.read(), ctx));
  return wrap;
}

function register(ctx, blockID, actionID, read) {
  if (!ctx.inputs.has(blockID)) ctx.inputs.set(blockID, new Map());
  ctx.inputs.get(blockID).set(actionID, read);
}

function fieldOf(el, block, ctx) {
  const id = `${ctx.key}-${block.block_id}`;
  return { id, label: plain(block.label) || plain(el.placeholder) || "Choose", describedby: block.type === "input" ? `${id}-hint ${id}-error` : null, kept: ctx.kept?.[block.block_id] };
}

/** valuesOf is what is filled in now: {block_id: {action_id: {type, …}}}. */
export function valuesOf(ctx) {
  return Object.fromEntries([...ctx.inputs].map(([block, actions]) => [block, Object.fromEntries([...actions].map(([action, read]) => [action, read()]))]));
}

const MAKERS = { button, overflow, image, workflow_button: button };

/** element draws one interactive element (or image) of a block. */
export function element(el, block, ctx) {
  if (MAKERS[el.type]) return MAKERS[el.type](el, block, ctx);
  const make = { radio_buttons: choice, checkboxes: choice }[el.type] ?? (el.type?.startsWith("multi_") ? multi : control(el.type));
  if (make) return valued(el, block, ctx, make);
  return h("span.placeholder", { title: "This page does not draw this element" }, el.type ?? "element");
}
