// api.js talks to the playground: the state of the workspace, what happens in it
// (server-sent events), and what a person does.

const base = "/playground";

/** fetchState asks for the whole workspace as user sees it. */
export async function fetchState(user) {
  const answer = await fetch(`${base}/state?user=${encodeURIComponent(user)}`, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`the playground answered ${answer.status}`);
  return answer.json();
}

/**
 * act does something as user, {do: "send", …}; always resolves to the answer:
 * {ok: true, …} or {ok: false, error, hint}.
 */
export async function act(user, action) {
  try {
    const answer = await fetch(`${base}/act?user=${encodeURIComponent(user)}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(action),
    });
    return await readAnswer(answer);
  } catch {
    return { ok: false, error: "unreachable", hint: "The playground does not answer. Is the daemon still running?" };
  }
}

async function readAnswer(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text);
  } catch {
    return { ok: false, error: `http_${answer.status}`, hint: text.slice(0, 200) };
  }
}

/**
 * follow keeps an event stream open until the returned function is called.
 * on = {event(e), up(again), down()}; after a gap it says up(true), and the caller asks for the state again.
 */
export function follow(user, on) {
  let source = null;
  let timer = 0;
  let wait = 500;
  let seen = false;
  const open = () => {
    source = new EventSource(`${base}/events?user=${encodeURIComponent(user)}`);
    source.onopen = () => {
      wait = 500;
      on.up(seen);
      seen = true;
    };
    source.onmessage = (message) => on.event(JSON.parse(message.data));
    source.onerror = () => {
      source.close();
      on.down();
      timer = setTimeout(open, wait);
      wait = Math.min(wait * 2, 8000);
    };
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
