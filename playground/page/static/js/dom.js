// dom.js builds DOM nodes. Everything the page shows passes through h(), which
// only ever sets text and attributes: data from Slack's API cannot become markup.

const SVG = "http://www.w3.org/2000/svg";
const LINK = /^(https?:|mailto:|tel:|#|\/(?!\/))/i;
const IMAGE = /^(https?:|data:image\/(png|jpeg|gif|webp);|\/(?!\/))/i;

/** safeURL returns url when a link may carry it, else null. */
export function safeURL(url) {
  return LINK.test(String(url).trim()) ? String(url).trim() : null;
}

/**
 * h("button.primary", {type: "button", onclick: fn}, "text", node, …) makes an element.
 * Functions under on… become listeners; false, null and undefined leave an attribute out.
 */
export function h(spec, props, ...children) {
  const [tag, ...classes] = spec.split(".");
  const el = document.createElement(tag || "div");
  if (classes.length) el.className = classes.join(" ");
  for (const [name, value] of Object.entries(props ?? {})) setProp(el, name, value);
  append(el, children);
  return el;
}

function setProp(el, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) {
    if (typeof value === "function") el.addEventListener(name.slice(2), value);
    return;
  }
  if (name === "href" && safeURL(value) === null) return;
  if (name === "src" && !IMAGE.test(String(value))) return;
  if (name === "class") el.className = [el.className, value].filter(Boolean).join(" ");
  else if (name === "value") el.value = value;
  else if (name === "vars") for (const [k, v] of Object.entries(value)) el.style.setProperty(k, v);
  else if (name !== "style" && name !== "srcdoc") el.setAttribute(name, value === true ? "" : value);
}

/** append adds children; arrays are flattened, null and false are left out. */
export function append(el, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    el.append(child instanceof Node ? child : String(child));
  }
  return el;
}

/** replace empties el and fills it with children. */
export function replace(el, ...children) {
  el.replaceChildren();
  return append(el, children);
}

/** svg draws shapes ([tag, attributes] pairs) in a square view box. */
export function svg(shapes, size = 20, className = "icon") {
  const el = document.createElementNS(SVG, "svg");
  el.setAttribute("viewBox", `0 0 ${size} ${size}`);
  el.setAttribute("class", className);
  el.setAttribute("aria-hidden", "true");
  el.setAttribute("focusable", "false");
  for (const [tag, attributes] of shapes) {
    const shape = document.createElementNS(SVG, tag);
    for (const [k, v] of Object.entries(attributes)) shape.setAttribute(k, v);
    el.append(shape);
  }
  return el;
}

/** button is an icon button with a name for people who do not see the icon. */
export function iconButton(name, label, onclick, props = {}) {
  return h("button.icon-button", { type: "button", "aria-label": label, title: label, onclick, ...props }, icon(name));
}

const line = (d) => ["path", { d, fill: "none", stroke: "currentColor", "stroke-width": "1.6", "stroke-linecap": "round", "stroke-linejoin": "round" }];
const fill = (d) => ["path", { d, fill: "currentColor" }];

const ICONS = {
  bell: [line("M10 3a4.6 4.6 0 0 0-4.6 4.6c0 3.6-1.4 4.8-1.9 5.4h13c-.5-.6-1.9-1.8-1.9-5.4A4.6 4.6 0 0 0 10 3Z"), line("M8.3 15.8a1.8 1.8 0 0 0 3.4 0M10 3V1.8")],
  lock: [line("M5 9h10v7.5H5zM7 9V6.6a3 3 0 0 1 6 0V9")],
  archive: [line("M3.5 4.5h13v3h-13zM4.8 7.5v8h10.4v-8M8 10.5h4")],
  close: [line("m5.5 5.5 9 9m0-9-9 9")],
  more: [fill("M4.5 8.6a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8Zm5.5 0a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8Zm5.5 0a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8Z")],
  thread: [line("M4 4.5h12v8.5H9.5L6 16v-3H4zM7 7.5h6M7 10h4")],
  copy: [line("M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3")],
  code: [line("m7 6-4 4 4 4m6-8 4 4-4 4")],
  send: [fill("M3.2 3.6c-.2-.6.4-1.1 1-.9l13 6.4c.7.4.7 1.4 0 1.8l-13 6.4c-.6.2-1.2-.3-1-.9L5 11l6-1-6-1-1.8-5.4Z")],
  down: [line("m5.5 8 4.5 4.5L14.5 8")],
  arrow: [line("M10 4v12m-5-5 5 5 5-5")],
  check: [line("m4.5 10.5 3.6 3.6 7.4-8")],
  warn: [line("M10 3.5 2.8 16h14.4L10 3.5ZM10 8.5v3.5m0 2v.1")],
  eye: [line("M2.5 10S5 5 10 5s7.5 5 7.5 5-2.5 5-7.5 5-7.5-5-7.5-5Z"), line("M10 8a2 2 0 1 1 0 4 2 2 0 0 1 0-4Z")],
  bolt: [line("M11 2.5 4.5 11.5H9.5L9 17.5l6.5-9h-5l.5-6Z")],
  plug: [line("M7 3v4m6-4v4M5 7h10v3a5 5 0 0 1-10 0zM10 15v3")],
  file: [line("M5 2.5h6.5L15.5 6.5V17.5H5zM11.5 2.5v4h4M7.5 10h5.5M7.5 13h5.5")],
  download: [line("M10 3v9m-4-3.5 4 4 4-4M4 16.5h12")],
  external: [line("M8 5H4.5v10.5H15V12M11 4h5v5m0-5-7 7")],
  sun: [line("M10 6.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7ZM10 1.8v1.7m0 13v1.7M1.8 10h1.7m13 0h1.7M4.2 4.2l1.2 1.2m9.2 9.2 1.2 1.2m0-11.6-1.2 1.2m-9.2 9.2-1.2 1.2")],
  moon: [line("M16.5 11.8A7 7 0 1 1 8.2 3.5a5.6 5.6 0 0 0 8.3 8.3Z")],
  auto: [line("M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14Z"), fill("M10 3a7 7 0 0 1 0 14Z")],
  menu: [line("M3.5 5.5h13m-13 4.5h13m-13 4.5h13")],
  panel: [line("M3 4h14v12H3zM12.5 4v12")],
  image: [line("M3 4.5h14v11H3zM3 13l4-4 4 4 2.5-2.5L17 14M13 7.5v.1")],
  play: [fill("M6 4.5v11l9-5.5z")],
};

/** icon draws one of the page's own icons in the colour of the text around it. */
export function icon(name) {
  return svg(ICONS[name] ?? ICONS.more);
}
