// context.js makes what blocks need to know about where they stand: names of people
// and channels, and how a click reaches the server.

import { act } from "./api.js";
import { valuesOf } from "./elements.js";
import { go, state } from "./store.js";

/** openChannel shows a conversation. */
export function openChannel(id) {
  if (state.channels.has(id)) go({ channel: id, tab: "messages", thread: "" });
}

/** perform acts as the person who is looking. */
export function perform(action) {
  return act(state.me.id, action);
}

/**
 * contextOf makes a drawing context. key is unique among everything shown; address
 * ({channel, message_ts} or {view_id}) says where a click happened.
 */
export function contextOf(key, address, extra = {}) {
  const ctx = {
    key,
    me: state.me.id,
    botName: state.bot.name ?? "The bot",
    user: (id) => state.users.get(id),
    group: (id) => state.groups.get(id),
    channel: (id) => state.channels.get(id),
    open: openChannel,
    inputs: new Map(),
    ...extra,
  };
  ctx.click = (action) => perform({ do: "click", ...address, ...action, state: { values: valuesOf(ctx) } });
  return ctx;
}
