// menu.js opens small menus (overflow, users, message actions) under a button, and
// moves focus inside lists with the arrow keys.

import { h, icon } from "./dom.js";

let openMenu = null;

/** closeMenu closes the open menu, if any, and gives focus back when asked. */
export function closeMenu(refocus = false) {
  if (!openMenu) return;
  const { el, anchor, release } = openMenu;
  openMenu = null;
  release();
  el.remove();
  anchor.setAttribute("aria-expanded", "false");
  if (refocus && anchor.isConnected) anchor.focus();
}

/**
 * menu opens items under anchor: [{label, note, checked, danger, href, testid, run}] or null for a line.
 * A second call with the same anchor closes it.
 */
export function menu(anchor, items, label) {
  const again = openMenu?.anchor === anchor;
  closeMenu();
  if (again) return;
  const el = h("div.menu", { role: "menu", "aria-label": label, tabindex: "-1" }, items.map((item) => (item ? entry(item) : h("div.menu-line", { role: "separator" }))));
  (anchor.closest("dialog") ?? document.body).append(el);
  place(el, anchor);
  anchor.setAttribute("aria-expanded", "true");
  openMenu = { el, anchor, release: watch(el, anchor) };
  (el.querySelector("[aria-checked=true]") ?? el.querySelector("[role^=menuitem]"))?.focus();
}

function entry(item) {
  const role = item.checked === undefined ? "menuitem" : "menuitemradio";
  const props = {
    role,
    tabindex: "-1",
    "aria-checked": item.checked === undefined ? null : String(item.checked),
    "data-testid": item.testid,
    class: item.danger ? "danger" : "",
    onclick: () => {
      closeMenu(true);
      item.run?.();
    },
  };
  const parts = [
    item.checked === undefined ? null : h("span.menu-check", null, item.checked ? icon("check") : null),
    item.lead ?? null,
    h("span.menu-text", null, h("span", null, item.label), item.note ? h("span.menu-note", null, item.note) : null),
    item.href ? icon("external") : null,
  ];
  if (item.href) return h("a.menu-item", { ...props, href: item.href, target: "_blank", rel: "noopener noreferrer" }, parts);
  return h("button.menu-item", { ...props, type: "button" }, parts);
}

function place(el, anchor) {
  const at = anchor.getBoundingClientRect();
  const size = el.getBoundingClientRect();
  const below = at.bottom + 4 + size.height < innerHeight || at.top < size.height;
  const left = at.left + size.width > innerWidth - 8 ? at.right - size.width : at.left;
  el.style.setProperty("top", `${below ? at.bottom + 4 : at.top - size.height - 4}px`);
  el.style.setProperty("left", `${Math.max(8, left)}px`);
}

// watch closes the menu on Escape, on a click elsewhere, on scrolling and resizing.
function watch(el, anchor) {
  const outside = (e) => {
    if (!el.contains(e.target) && !anchor.contains(e.target)) closeMenu();
  };
  const keys = (e) => {
    if (e.key === "Escape" || e.key === "Tab") {
      e.preventDefault();
      e.stopPropagation();
      closeMenu(true);
    } else if (roveKeys(e, [...el.querySelectorAll("[role^=menuitem]")])) e.preventDefault();
  };
  const gone = () => closeMenu();
  document.addEventListener("pointerdown", outside, true);
  addEventListener("resize", gone);
  el.addEventListener("keydown", keys);
  return () => {
    document.removeEventListener("pointerdown", outside, true);
    removeEventListener("resize", gone);
  };
}

/** roveKeys moves focus among items for an arrow, Home or End key; true when it did. */
export function roveKeys(e, items, keys = ["ArrowUp", "ArrowDown"]) {
  const at = items.indexOf(document.activeElement.closest?.("[data-rove]") ?? document.activeElement);
  const to = { [keys[0]]: at - 1, [keys[1]]: at + 1, Home: 0, End: items.length - 1 }[e.key];
  if (to === undefined || items.length === 0) return false;
  const next = items[Math.max(0, Math.min(items.length - 1, to))];
  for (const item of items) item.tabIndex = item === next ? 0 : -1;
  next.focus();
  return true;
}
