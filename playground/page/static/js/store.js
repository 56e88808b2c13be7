// store.js is what the page knows: one state object, changed only here, and
// listeners who are told which part changed.

const listeners = new Map();
const READ = "tocsin.read";
const DISMISSED = "tocsin.dismissed";

/** state is the workspace as the server told it, plus where the person is (view). */
export const state = {
  ready: false,
  online: true,
  team: {},
  me: {},
  bot: {},
  users: new Map(),
  groups: new Map(),
  channels: new Map(),
  commands: [],
  sockets: 0,
  requestsTo: "",
  faults: [],
  home: null,
  modals: [],
  messages: new Map(),
  view: { channel: "", tab: "messages", thread: "" },
};

/** reachable tells whether what people do gets to the app. */
export const reachable = () => state.sockets > 0 || state.requestsTo !== "";

/** on calls fn whenever one of the topics (a space-separated list) changes. */
export function on(topics, fn) {
  for (const topic of topics.split(" ")) {
    if (!listeners.has(topic)) listeners.set(topic, new Set());
    listeners.get(topic).add(fn);
  }
}

/** emit tells the listeners of topic. */
export function emit(topic, detail) {
  for (const fn of listeners.get(topic) ?? []) fn(detail);
}

function stored(kind, key) {
  try {
    return JSON.parse(kind.getItem(key)) ?? {};
  } catch {
    return {};
  }
}

const dismissed = new Set(Object.values(stored(sessionStorage, DISMISSED)));
let read = {};

// people are everybody and the groups, by id.
function people(data) {
  return {
    users: new Map((data.users ?? []).map((user) => [user.id, user])),
    groups: new Map((data.groups ?? []).map((group) => [group.id, group])),
  };
}

/** load takes a whole state from the server; the view stays where it is if it can. */
export function load(data) {
  Object.assign(state, {
    ready: true,
    team: data.team ?? {},
    me: data.me ?? {},
    bot: data.bot ?? {},
    ...people(data),
    channels: new Map((data.channels ?? []).map((channel) => [channel.id, channel])),
    commands: data.commands ?? [],
    sockets: data.sockets ?? 0,
    requestsTo: data.requests_to ?? "",
    faults: data.faults ?? [],
    home: data.home ?? null,
    modals: data.modals ?? [],
    messages: new Map(Object.entries(data.messages ?? {}).map(([id, list]) => [id, sorted(list ?? [])])),
  });
  read = stored(localStorage, READ);
  for (const part of ["me", "channels", "messages", "home", "modals", "faults", "sockets", "commands"]) emit(part);
}

const byTS = (a, b) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0);
const sorted = (list) => list.filter((m) => !(m.ephemeral && dismissed.has(m.ts))).sort(byTS);

/** listOf is the messages of a channel, oldest first, replies included. */
export function listOf(channel) {
  return state.messages.get(channel) ?? [];
}

/** isReply tells a message which lives only in its thread. */
export function isReply(message) {
  return Boolean(message.thread_ts) && message.thread_ts !== message.ts && message.subtype !== "thread_broadcast";
}

/** repliesOf is what was answered in the thread of ts. */
export function repliesOf(channel, ts) {
  return listOf(channel).filter((m) => m.thread_ts === ts && m.ts !== ts);
}

function put(channel, message) {
  const list = listOf(channel);
  if (list.length === 0 || message.ts > list[list.length - 1].ts) {
    state.messages.set(channel, list);
    list.push(message);
    return;
  }
  const at = list.findIndex((m) => m.ts === message.ts && Boolean(m.ephemeral) === Boolean(message.ephemeral));
  if (at >= 0) list[at] = message;
  else list.push(message);
  state.messages.set(channel, sorted(list));
}

function remove(channel, ts, ephemeral = false) {
  state.messages.set(channel, listOf(channel).filter((m) => m.ts !== ts || Boolean(m.ephemeral) !== ephemeral));
}

/** dismiss hides an ephemeral message for this person, for as long as the tab lives. */
export function dismiss(channel, ts) {
  dismissed.add(ts);
  sessionStorage.setItem(DISMISSED, JSON.stringify([...dismissed].slice(-500)));
  remove(channel, ts, true);
  emit("messages", { channel });
}

const REDUCERS = {
  message(e) {
    put(e.channel, e.message);
    emit("messages", { channel: e.channel, added: e.message });
  },
  message_changed(e) {
    put(e.channel, e.message);
    emit("messages", { channel: e.channel, changed: e.message });
  },
  message_deleted(e) {
    const ts = e.ts ?? e.deleted_ts ?? e.message?.ts;
    remove(e.channel, ts, Boolean(e.message?.ephemeral ?? e.ephemeral));
    emit("messages", { channel: e.channel });
  },
  ephemeral(e) {
    put(e.channel, { ...e.message, ephemeral: true });
    emit("messages", { channel: e.channel, added: { ...e.message, ephemeral: true } });
  },
  home(e) {
    state.home = e.view ?? null;
    emit("home");
  },
  modal_open(e) {
    state.modals = [...state.modals.filter((view) => view.id !== e.view.id), e.view];
    emit("modals");
  },
  modal_update(e) {
    state.modals = state.modals.map((view) => (view.id === e.view.id ? e.view : view));
    emit("modals");
  },
  modal_close(e) {
    const id = e.view?.id ?? e.view_id;
    state.modals = id ? state.modals.filter((view) => view.id !== id) : [];
    emit("modals");
  },
  people(e) {
    Object.assign(state, people(e));
    state.me = state.users.get(state.me.id) ?? state.me;
    emit("me");
    emit("messages");
  },
  channel(e) {
    const channel = typeof e.channel === "object" ? e.channel : null;
    if (channel) state.channels.set(channel.id, { ...state.channels.get(channel.id), ...channel });
    emit("channels");
    emit("messages", { channel: channel?.id });
  },
  faults(e) {
    state.faults = e.faults ?? [];
    emit("faults");
  },
  sockets(e) {
    state.sockets = e.count ?? e.sockets ?? 0;
    emit("sockets");
  },
  toast: (e) => emit("toast", e),
};

/** apply takes one live event. */
export function apply(event) {
  REDUCERS[event.type]?.(event);
}

/** go moves the person: a conversation, a tab of the bot's, a thread. */
export function go(view) {
  const before = state.view;
  state.view = { ...before, ...view };
  emit("view", { before });
}

/** current is the conversation in the middle. */
export function current() {
  return state.channels.get(state.view.channel);
}

/** botChannel is the person's conversation with the bot, if there is one. */
export function botChannel() {
  return [...state.channels.values()].find((channel) => channel.is_im && channel.user === state.bot.id);
}

const readKey = (channel) => `${state.me.id}/${channel}`;

/** lastRead is the newest ts the person has seen in channel ("" = nothing known). */
export function lastRead(channel) {
  return read[readKey(channel)] ?? "";
}

/** markRead remembers that everything in channel has been seen. */
export function markRead(channel) {
  const list = listOf(channel);
  const ts = list.length ? list[list.length - 1].ts : "0";
  const known = state.channels.get(channel);
  if (lastRead(channel) === ts || !known) return;
  read[readKey(channel)] = ts;
  localStorage.setItem(READ, JSON.stringify(read));
  known.unread = 0;
  emit("channels");
}

/** unreadOf counts what the person has not seen in channel. */
export function unreadOf(channel) {
  const since = lastRead(channel.id);
  if (!since) return Number(channel.unread ?? 0) || (channel.unread ? 1 : 0);
  return listOf(channel.id).filter((m) => m.ts > since && m.user !== state.me.id && !isReply(m)).length;
}

/** setOnline says whether the event stream is up. */
export function setOnline(online) {
  if (state.online === online) return;
  state.online = online;
  emit("online");
}
