// time.js says when: clock times of messages and Slack's date tokens, in the
// viewer's own time zone and language.

const DAY = 86400000;

/** dateOf turns a message ts ("1767225600.000100", seconds) into a Date. */
export function dateOf(ts) {
  return new Date(parseFloat(ts) * 1000);
}

/** clock is the hour and minute of d, as the viewer writes them. */
export function clock(d) {
  return d.toLocaleTimeString(undefined, { hour: "numeric", minute: "2-digit" });
}

/** full is the day and the time with seconds, for tooltips. */
export function full(d) {
  return d.toLocaleString(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "numeric", minute: "2-digit", second: "2-digit" });
}

function midnight(d) {
  return new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
}

/** dayKey tells days apart; equal for two instants on one local day. */
export function dayKey(d) {
  return String(midnight(d));
}

/** relativeDay is "today", "yesterday", "tomorrow" or "". */
function relativeDay(d) {
  const days = Math.round((midnight(d) - midnight(new Date())) / DAY);
  return { 0: "today", "-1": "yesterday", 1: "tomorrow" }[days] ?? "";
}

/** dayLabel heads a day's messages. */
export function dayLabel(d) {
  const near = relativeDay(d);
  if (near) return near[0].toUpperCase() + near.slice(1);
  return d.toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long" });
}

/** ago says how long ago (or how soon) d is, in words. */
export function ago(d) {
  const seconds = Math.round((Date.now() - d.getTime()) / 1000);
  const far = Math.abs(seconds);
  const say = (n, unit) => {
    const text = `${n} ${unit}${n === 1 ? "" : "s"}`;
    return seconds >= 0 ? `${text} ago` : `in ${text}`;
  };
  if (far < 10) return "just now";
  if (far < 60) return say(far, "second");
  if (far < 3600) return say(Math.round(far / 60), "minute");
  if (far < 86400) return say(Math.round(far / 3600), "hour");
  return say(Math.round(far / 86400), "day");
}

const dated = (options) => (d) => d.toLocaleDateString(undefined, options);
const pretty = (format) => (d) => relativeDay(d) || format(d);
const long = dated({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const medium = dated({ day: "numeric", month: "long", year: "numeric" });
const short = dated({ day: "numeric", month: "short", year: "numeric" });

const TOKENS = {
  date_num: (d) => `${d.getFullYear()}-${String(d.getMonth() + 1).padStart(2, "0")}-${String(d.getDate()).padStart(2, "0")}`,
  date: medium,
  date_short: short,
  date_long: long,
  date_pretty: pretty(medium),
  date_short_pretty: pretty(short),
  date_long_pretty: pretty(long),
  time: clock,
  time_secs: (d) => d.toLocaleTimeString(undefined, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago,
};

/** formatDate fills Slack's {tokens}; null when the format names one we do not know. */
export function formatDate(unix, format) {
  const d = new Date(Number(unix) * 1000);
  if (Number.isNaN(d.getTime())) return null;
  let known = true;
  const text = format.replace(/\{(\w+)\}/g, (_, token) => {
    known &&= token in TOKENS;
    return known ? TOKENS[token](d) : "";
  });
  return known ? text : null;
}

/** keepFresh rewrites every <time data-format> which holds {ago} or a near day; call once. */
export function keepFresh() {
  setInterval(() => {
    for (const el of document.querySelectorAll("time[data-unix]")) {
      const text = formatDate(el.dataset.unix, el.dataset.format);
      if (text !== null && text !== el.textContent) el.textContent = text;
    }
  }, 15000);
}
