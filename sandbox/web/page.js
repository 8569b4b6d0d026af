// What every module of the page shares: the state of the chat, small helpers, the status line and the toast.

export const chat = {
  person: 1, // whose chat is shown
  names: {}, // person → name
  messages: new Map(), // message_id → { view, element }; a view is a message as the server sends it
};

export const byId = (id) => document.getElementById(id);

// Create an element: make("b", { className: "x" }, "text", node, …). A child that is null is left out.
export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Create a text for screen readers only.
export function makeUnseen(text) {
  return make("span", { className: "unseen" }, text);
}

export function senderName({ is_own }) {
  return is_own ? chat.names[chat.person] : "Заметки";
}

export function formatSize(bytes) {
  if (bytes < 1024) return `${bytes} Б`;
  if (bytes < 2 ** 20) return `${decimal(bytes / 1024)} КБ`;
  return `${decimal(bytes / 2 ** 20)} МБ`;
}

// Return a number with one decimal place and a comma: 2,7.
function decimal(number) {
  return number.toFixed(1).replace(".", ",");
}

// Return minutes and seconds: 0:42.
export function formatDuration(seconds) {
  const whole = Math.round(seconds ?? 0);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

let statusTimer = 0;

// Show a text below the bot's name; without arguments, return to normal.
export function setStatus(status = "", duration = 0) {
  clearTimeout(statusTimer);
  byId("status").textContent = status || "бот";
  byId("status").classList.toggle("busy", Boolean(status));
  if (duration) statusTimer = setTimeout(setStatus, duration);
}

export async function copyText(text) {
  await navigator.clipboard.writeText(text);
  showToast("Скопировано.");
}

const TOAST_MS = 3_500;
let toastTimer = 0;

export function showToast(message) {
  clearTimeout(toastTimer);
  byId("toast").textContent = message;
  byId("toast").hidden = false;
  toastTimer = setTimeout(() => (byId("toast").hidden = true), TOAST_MS);
}
