// emoji.js shows :emoji: names. Those an alert daemon lives by are drawn here, so
// that they look the same on a machine without an emoji font; the rest are characters.

import { h, svg } from "./dom.js";

const disc = (fill) => [["circle", { cx: 10, cy: 10, r: 8, fill }]];
const square = (fill) => [["rect", { x: 2, y: 2, width: 16, height: 16, rx: 3, fill }]];
const stroke = (d, colour, width = 2.2) => ["path", { d, fill: "none", stroke: colour, "stroke-width": width, "stroke-linecap": "round", "stroke-linejoin": "round" }];
const shape = (d, fill) => ["path", { d, fill }];
const BELL = shape("M10 2.2a5.2 5.2 0 0 0-5.2 5.2c0 4.1-1.6 5.4-2.3 6.6h15c-.7-1.2-2.3-2.5-2.3-6.6A5.2 5.2 0 0 0 10 2.2Zm-2 13a2 2 0 0 0 4 0z", "#e3a635");

const DRAWN = {
  red_circle: ["🔴", disc("#d92f3c")],
  large_orange_circle: ["🟠", disc("#ee8a1d")],
  large_yellow_circle: ["🟡", disc("#f2c230")],
  large_green_circle: ["🟢", disc("#3aa655")],
  large_blue_circle: ["🔵", disc("#3b82d6")],
  large_purple_circle: ["🟣", disc("#8e5bb5")],
  white_circle: ["⚪", [["circle", { cx: 10, cy: 10, r: 7.4, fill: "#f4f6f8", stroke: "#aab4bd", "stroke-width": 1.2 }]]],
  black_circle: ["⚫", disc("#343b41")],
  large_red_square: ["🟥", square("#d92f3c")],
  large_orange_square: ["🟧", square("#ee8a1d")],
  large_yellow_square: ["🟨", square("#f2c230")],
  large_green_square: ["🟩", square("#3aa655")],
  large_blue_square: ["🟦", square("#3b82d6")],
  white_check_mark: ["✅", [...square("#3aa655"), stroke("m6 10.5 2.8 2.8L14 7", "#fff")]],
  heavy_check_mark: ["✔", [stroke("m3.5 10.8 4.2 4.2L16.5 5.5", "#3aa655", 3)]],
  x: ["❌", [stroke("m4.5 4.5 11 11m0-11-11 11", "#d92f3c", 3.2)]],
  warning: ["⚠", [shape("M10 1.8 1 17.5h18L10 1.8Z", "#f0b429"), stroke("M10 7.5v4.5", "#3a2c07", 2), ["circle", { cx: 10, cy: 14.9, r: 1.2, fill: "#3a2c07" }]]],
  rotating_light: ["🚨", [shape("M5 14V9.5a5 5 0 0 1 10 0V14z", "#e0343f"), ["rect", { x: 3, y: 14, width: 14, height: 3.5, rx: 1, fill: "#7b8690" }], stroke("M10 1v1.5M3 4l1.1 1.1M17 4l-1.1 1.1", "#ee8a1d", 1.6)]],
  bell: ["🔔", [BELL]],
  no_bell: ["🔕", [BELL, stroke("m3 3 14 14", "#d92f3c", 2.2)]],
  information_source: ["ℹ", [...square("#3b82d6"), stroke("M10 9.5v5", "#fff", 2.2), ["circle", { cx: 10, cy: 6, r: 1.4, fill: "#fff" }]]],
  fire: ["🔥", [shape("M10.5 1c.5 3-3.8 5-5 8.2C4 13.6 6.2 18.5 10 18.5s6-4 5.3-7.8c-.3-1.7-1.2-2.7-1.7-3.7-.6 1.2-1 1.6-1.7 2C12.3 5.8 12.3 3 10.5 1Z", "#ef6c1f"), shape("M10 10c-.3 1.7-2.4 2.7-2.3 5 .1 1.8 1.1 3 2.4 3s2.4-1 2.4-2.8c0-2.2-2.2-3-2.5-5.2Z", "#ffd257")]],
  zap: ["⚡", [shape("M11.5 1 3.5 11.5H9L8 19l8.5-11H11z", "#f2b21d")]],
  hourglass_flowing_sand: ["⏳", [stroke("M5 2.5h10M5 17.5h10M6 2.5c0 4.5 3 5 3 7.5s-3 3-3 7.5M14 2.5c0 4.5-3 5-3 7.5s3 3 3 7.5", "#8a6d3b", 1.6), shape("M7.5 16.8c.5-2.3 2-2.8 2.5-3.8.5 1 2 1.5 2.5 3.8z", "#e3a635")]],
  hourglass: ["⌛", [stroke("M5 2.5h10M5 17.5h10M6 2.5c0 4.5 3 5 3 7.5s-3 3-3 7.5M14 2.5c0 4.5-3 5-3 7.5s3 3 3 7.5", "#8a6d3b", 1.6)]],
  clock3: ["🕒", [["circle", { cx: 10, cy: 10, r: 8, fill: "#f4f6f8", stroke: "#6b7780", "stroke-width": 1.6 }], stroke("M10 5.5V10h4", "#343b41", 1.6)]],
  eyes: ["👀", [["ellipse", { cx: 6, cy: 10, rx: 3.8, ry: 6, fill: "#fff", stroke: "#6b7780", "stroke-width": 1.2 }], ["ellipse", { cx: 14, cy: 10, rx: 3.8, ry: 6, fill: "#fff", stroke: "#6b7780", "stroke-width": 1.2 }], ["circle", { cx: 4.8, cy: 11, r: 1.8, fill: "#2b3238" }], ["circle", { cx: 12.8, cy: 11, r: 1.8, fill: "#2b3238" }]]],
  bulb: ["💡", [shape("M10 1.5a5.5 5.5 0 0 0-3 10c.8.6 1 1.5 1 2.5h4c0-1 .2-1.9 1-2.5a5.5 5.5 0 0 0-3-10Z", "#f7d04a"), ["rect", { x: 8, y: 15, width: 4, height: 3, rx: 1, fill: "#7b8690" }]]],
  memo: ["📝", [["rect", { x: 3, y: 2, width: 11, height: 16, rx: 1.5, fill: "#f4f6f8", stroke: "#9aa5ae", "stroke-width": 1 }], stroke("M5.5 6h6M5.5 9h6M5.5 12h3", "#9aa5ae", 1.2), stroke("m10.5 15 6.5-7", "#e3a635", 2.4)]],
  mag: ["🔍", [["circle", { cx: 8.5, cy: 8.5, r: 5.5, fill: "#d8ecfa", stroke: "#5b6770", "stroke-width": 1.8 }], stroke("m12.7 12.7 4.8 4.8", "#5b6770", 2.6)]],
  no_entry: ["⛔", [...disc("#d92f3c"), stroke("M6 10h8", "#fff", 2.8)]],
  repeat: ["🔁", [...square("#3b82d6"), stroke("M6 9V7.5h8m-1.5-1.5L14 7.5 12.5 9M14 11v1.5H6m1.5-1.5L6 12.5 7.5 14", "#fff", 1.4)]],
  arrow_up: ["⬆", [...square("#3b82d6"), stroke("M10 14.5v-9m-3.5 3.5L10 5.5 13.5 9", "#fff", 1.8)]],
  arrow_down: ["⬇", [...square("#3b82d6"), stroke("M10 5.5v9M6.5 11l3.5 3.5 3.5-3.5", "#fff", 1.8)]],
  chart_with_upwards_trend: ["📈", [["rect", { x: 2, y: 2, width: 16, height: 16, rx: 2, fill: "#f4f6f8", stroke: "#9aa5ae", "stroke-width": 1 }], stroke("m4.5 14 4-4.5 2.5 2 4.5-6", "#d92f3c", 1.8)]],
  link: ["🔗", [stroke("M8.5 11.5a3 3 0 0 0 4.2 0l2.8-2.8a3 3 0 0 0-4.2-4.2L10 5.8M11.5 8.5a3 3 0 0 0-4.2 0l-2.8 2.8a3 3 0 0 0 4.2 4.2l1.3-1.3", "#6b7780", 1.8)]],
  package: ["📦", [shape("M2.5 6 10 2.5 17.5 6v8.5L10 18l-7.5-3.5z", "#c99a5b"), stroke("M2.5 6 10 9.5 17.5 6M10 9.5V18", "#8a6534", 1.1)]],
  raised_hand: ["✋", [shape("M5.2 11V5.4a1.1 1.1 0 0 1 2.2 0V3.3a1.1 1.1 0 0 1 2.2 0V2.6a1.1 1.1 0 0 1 2.2 0v1.2a1.1 1.1 0 0 1 2.2 0v7l1.3-1.6c.9-1 2.4-.1 1.8 1.1l-2.5 5c-.9 1.9-2.2 3.2-4.9 3.2-3 0-4.5-2-4.5-5.2z", "#f5c04a"), stroke("M7.4 9V5.2M9.6 8.6V3.4M11.8 8.6V4", "#c9922a", 0.9)]],
  bust_in_silhouette: ["👤", [["circle", { cx: 10, cy: 6.5, r: 4, fill: "#5f7f96" }], shape("M2.5 18c0-4.4 3.3-6.6 7.5-6.6s7.5 2.2 7.5 6.6z", "#5f7f96")]],
  alarm_clock: ["⏰", [stroke("m5 17-1.4 1.6M15 17l1.4 1.6M3 5.6 5.6 3M17 5.6 14.4 3", "#c22f3d", 2), ["circle", { cx: 10, cy: 11, r: 6.6, fill: "#f4f6f8", stroke: "#d92f3c", "stroke-width": 1.8 }], stroke("M10 7.5V11l2.4 1.6", "#343b41", 1.5)]],
  crescent_moon: ["🌙", [shape("M13.6 2.2a8 8 0 1 0 4.2 11.4 7 7 0 0 1-4.2-11.4Z", "#f0bf3a")]],
  speech_balloon: ["💬", [shape("M10 3C5.3 3 2 5.7 2 9.2c0 2 1.2 3.8 3 5-.1 1.2-.7 2.3-1.6 3 1.9 0 3.6-.8 4.7-1.9.6.1 1.2.1 1.9.1 4.7 0 8-2.7 8-6.2S14.7 3 10 3Z", "#8fa3b0"), ["circle", { cx: 6.4, cy: 9.2, r: 1.1, fill: "#fff" }], ["circle", { cx: 10, cy: 9.2, r: 1.1, fill: "#fff" }], ["circle", { cx: 13.6, cy: 9.2, r: 1.1, fill: "#fff" }]]],
  pager: ["📟", [["rect", { x: 2, y: 5, width: 16, height: 10.5, rx: 2, fill: "#3d474f" }], ["rect", { x: 4, y: 7, width: 12, height: 4.2, rx: 0.8, fill: "#a8d6a3" }], stroke("M5 13.3h2m3 0h2m3 0h.2", "#e8ecef", 1.3)]],
  mailbox_with_mail: ["📬", [["rect", { x: 9, y: 13, width: 2.2, height: 6, fill: "#8a6534" }], shape("M6 5h8a4.5 4.5 0 0 1 4.5 4.5V14h-17V9.5A4.5 4.5 0 0 1 6 5Z", "#4a86c5"), ["circle", { cx: 6, cy: 9.5, r: 2.6, fill: "#2b5c8f" }], stroke("M14 9V2.5h3", "#d92f3c", 1.8)]],
  mailbox_with_no_mail: ["📭", [["rect", { x: 9, y: 13, width: 2.2, height: 6, fill: "#8a6534" }], shape("M6 5h8a4.5 4.5 0 0 1 4.5 4.5V14h-17V9.5A4.5 4.5 0 0 1 6 5Z", "#8fa3b0"), ["circle", { cx: 6, cy: 9.5, r: 2.6, fill: "#62747f" }]]],
  bar_chart: ["📊", [["rect", { x: 2, y: 2, width: 16, height: 16, rx: 2, fill: "#f4f6f8", stroke: "#9aa5ae", "stroke-width": 1 }], ["rect", { x: 4.6, y: 8, width: 2.8, height: 7.5, fill: "#3aa655" }], ["rect", { x: 8.6, y: 4.8, width: 2.8, height: 10.7, fill: "#d92f3c" }], ["rect", { x: 12.6, y: 10.5, width: 2.8, height: 5, fill: "#3b82d6" }]]],
  mega: ["📣", [shape("M17 2.5v12L6.5 12v-6.5z", "#d94a4f"), ["rect", { x: 2.5, y: 5.5, width: 4.5, height: 6.5, rx: 1.2, fill: "#e9edf0", stroke: "#9aa5ae", "stroke-width": 1 }], stroke("m7.5 12.8 1 4.2h2.2l-.9-3.8", "#9aa5ae", 1.5)]],
  lock: ["🔒", [stroke("M6 9V6.5a4 4 0 0 1 8 0V9", "#8a98a1", 2), ["rect", { x: 3.5, y: 8.8, width: 13, height: 9, rx: 1.8, fill: "#eab13c" }], stroke("M10 12.2v2.2", "#6b4a00", 1.8)]],
  ballot_box_with_check: ["☑", [["rect", { x: 2.5, y: 2.5, width: 15, height: 15, rx: 2.5, fill: "#f4f6f8", stroke: "#6b7780", "stroke-width": 1.4 }], stroke("m5.8 10.4 3 3 5.6-6.6", "#2f6fb5", 2.3)]],
  question: ["❓", [stroke("M6.6 6.8a3.5 3.5 0 1 1 5.2 3c-1.2.8-1.8 1.4-1.8 2.9", "#d92f3c", 2.7), ["circle", { cx: 10, cy: 16.6, r: 1.6, fill: "#d92f3c" }]]],
};

const PLAIN = {
  wave: "👋", "+1": "👍", thumbsup: "👍", "-1": "👎", tada: "🎉", rocket: "🚀", tools: "🛠️", wrench: "🔧", hammer: "🔨", gear: "⚙️", unlock: "🔓", key: "🔑",
  smile: "😄", slightly_smiling_face: "🙂", grinning: "😀", joy: "😂", thinking_face: "🤔", cry: "😢", sob: "😭", scream: "😱", sweat_smile: "😅", wink: "😉", heart: "❤️", pray: "🙏", clap: "👏", muscle: "💪", raised_hands: "🙌", ok_hand: "👌", point_right: "👉", handshake: "🤝",
  robot_face: "🤖", ghost: "👻", skull: "💀", bug: "🐛", boom: "💥", star: "⭐", sparkles: "✨", sunny: "☀️", cloud: "☁️", snowflake: "❄️", coffee: "☕", beer: "🍺", pizza: "🍕", cake: "🍰",
  computer: "💻", desktop_computer: "🖥️", floppy_disk: "💾", electric_plug: "🔌", battery: "🔋", satellite: "📡", globe_with_meridians: "🌐", phone: "☎️", iphone: "📱", email: "📧", envelope: "✉️", incoming_envelope: "📨", inbox_tray: "📥", outbox_tray: "📤", mailbox: "📫",
  calendar: "📆", date: "📅", stopwatch: "⏱️", timer_clock: "⏲️", chart_with_downwards_trend: "📉", clipboard: "📋", pushpin: "📌", paperclip: "📎", file_folder: "📁", page_facing_up: "📄", scroll: "📜", books: "📚", newspaper: "📰",
  thought_balloon: "💭", loudspeaker: "📢", mute: "🔇", sound: "🔉", grey_question: "❔", exclamation: "❗", bangbang: "‼️", heavy_plus_sign: "➕", heavy_minus_sign: "➖", arrow_right: "➡️", arrow_left: "⬅️", arrows_counterclockwise: "🔄", recycle: "♻️",
  construction: "🚧", octagonal_sign: "🛑", stop_sign: "🛑", no_entry_sign: "🚫", shield: "🛡️", ambulance: "🚑", fire_engine: "🚒", fire_extinguisher: "🧯", helmet_with_white_cross: "⛑️", sos: "🆘", new: "🆕", ok: "🆗", zzz: "💤", checkered_flag: "🏁", triangular_flag_on_post: "🚩", white_flag: "🏳️", label: "🏷️", ticket: "🎫", test_tube: "🧪", magnet: "🧲", broom: "🧹", sleeping: "😴", crossed_fingers: "🤞", heavy_multiplication_x: "✖️", heavy_exclamation_mark: "❗", small_red_triangle: "🔺", small_red_triangle_down: "🔻", small_orange_diamond: "🔸", small_blue_diamond: "🔹", large_orange_diamond: "🔶", large_blue_diamond: "🔷", red_square: "🟥", keycap_star: "*️⃣", hash: "#️⃣",
};

const ALIASES = { hand: "raised_hand", red_square: "large_red_square", siren: "rotating_light", heavy_multiplication_x: "x", green_circle: "large_green_circle", yellow_circle: "large_yellow_circle", orange_circle: "large_orange_circle", blue_circle: "large_blue_circle" };
const BY_CHARACTER = new Map(Object.entries(DRAWN).map(([name, [character]]) => [character, name]));
const TEXT = new RegExp(`:([a-z0-9_+'-]+):(?::skin-tone-\\d:)?|(${[...BY_CHARACTER.keys()].join("|")})\\uFE0F?`, "gu");

// hasFont tells whether this machine can draw emoji characters: a missing one looks
// like any other missing character.
let font;
function hasFont() {
  const look = (character) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 24;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.font = "18px sans-serif";
    pen.fillText(character, 0, 20);
    return pen.getImageData(0, 0, 24, 24).data.join();
  };
  font ??= look("\u{1F389}") !== look("\u{1F525}");
  return font;
}

/** emoji is the node of one emoji name, or null when we do not know it. */
export function emoji(name) {
  const known = ALIASES[name] ?? name;
  if (Object.hasOwn(DRAWN, known)) {
    return h("span.emoji", { role: "img", "aria-label": `${known.replaceAll("_", " ")}`, title: `:${known}:` }, svg(DRAWN[known][1], 20, "emoji-svg"));
  }
  if (!Object.hasOwn(PLAIN, name) || !hasFont()) return null;
  return h("span.emoji.emoji-char", { role: "img", "aria-label": name.replaceAll("_", " "), title: `:${name}:` }, PLAIN[name]);
}

/** withEmoji splits text into strings and emoji nodes; names it does not know stay text. */
export function withEmoji(text, names = true) {
  const out = [];
  let from = 0;
  for (const match of text.matchAll(TEXT)) {
    const [whole, name, character] = match;
    const node = name === undefined ? emoji(BY_CHARACTER.get(character)) : names ? emoji(name) : null;
    if (!node) continue;
    if (match.index > from) out.push(text.slice(from, match.index));
    out.push(node);
    from = match.index + whole.length;
  }
  if (from < text.length) out.push(text.slice(from));
  return out;
}

/** bare is text for places that hold characters only, such as the options of a select. */
export function bare(text) {
  const named = text.replace(/:([a-z0-9_+'-]+):/g, (whole, name) => DRAWN[ALIASES[name] ?? name]?.[0] ?? PLAIN[name] ?? whole);
  return hasFont() ? named : named.replace(/[\p{Extended_Pictographic}\uFE0F]+\s?/gu, "");
}
