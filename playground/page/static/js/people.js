// people.js draws who: avatars (initials on the person's colour), names, the APP badge.

import { h, icon } from "./dom.js";
import { emoji } from "./emoji.js";
import { state } from "./store.js";

const COLOURS = ["#2f6f8f", "#3c8f4f", "#8f5f2f", "#7a4f9a", "#a3434f", "#3f5f9f", "#5f7a2f"];

/** colourOf is a person's own colour, or one made from the id. */
function colourOf(user, id) {
  const own = /^#?([0-9a-f]{6})$/i.exec(user?.color ?? "");
  if (own) return `#${own[1]}`;
  let sum = 0;
  for (const c of id) sum += c.codePointAt(0);
  return COLOURS[sum % COLOURS.length];
}

function initials(name) {
  const words = name.split(/[\s._-]+/).filter(Boolean);
  return (words.length > 1 ? words[0][0] + words[words.length - 1][0] : name.slice(0, 1)).toUpperCase();
}

const WORKSPACE = { id: "USLACKBOT", name: "Workspace", app: false, system: true };

/** author is {id, name, app, user} of a message. */
export function author(message) {
  if (message.user === WORKSPACE.id) return WORKSPACE;
  const app = Boolean(message.bot_id) || message.user === state.bot.id;
  const id = message.user ?? (app ? state.bot.id : "");
  const user = state.users.get(id);
  const name = message.username ?? user?.real_name ?? user?.name ?? message.bot_profile?.name ?? (app ? state.bot.name : id);
  return { id, name: name || "unknown", app, user, icons: message.icons };
}

/** avatar draws a person's or the bot's square. */
export function avatar(who, size = "medium") {
  const drawn = /^:([^:]+):$/.exec(who.icons?.emoji ?? "");
  if (who.system) return h(`span.avatar.avatar-${size}.avatar-system`, { "aria-hidden": "true" }, icon("warn"));
  const face = (drawn && emoji(drawn[1])) ?? (who.app ? icon("bell") : initials(who.name));
  return h(`span.avatar.avatar-${size}`, { class: who.app ? "avatar-app" : "", "aria-hidden": "true", vars: { "--avatar": who.app ? null : colourOf(who.user, who.id) } }, face);
}

/** avatarOf draws a user by id. */
export function avatarOf(id, size) {
  const user = state.users.get(id);
  return avatar({ id, user, name: user?.real_name || user?.name || id, app: Boolean(user?.is_bot) || id === state.bot.id }, size);
}

/** appBadge marks what an app says. */
export function appBadge() {
  return h("span.app-badge", { title: "Posted by an app" }, "APP");
}
