// Requests to the server: what the person does in the chat.

import { chat, showToast } from "./page.js";
import { scrollToEnd } from "./scroll.js";

const MAX_UPLOAD_BYTES = 50 * 2 ** 20;

// Fetch the people, the bot's menu and whether the models are real.
export async function fetchSetup() {
  return (await fetch("/setup")).json();
}

// Post an action; return whether it succeeded.
export async function post(action, body) {
  const isForm = body instanceof FormData;
  const headers = { "X-Sandbox": "1" }; // a form on another site cannot set this header
  if (!isForm) headers["Content-Type"] = "application/json";
  try {
    const request = { method: "POST", headers, body: isForm ? body : JSON.stringify(body) };
    const response = await fetch(`/people/${chat.person}/${action}`, request);
    if (response.ok) return true;
    const { error } = await response.json().catch(() => ({}));
    showToast(error ?? `Не получилось: ${response.status}`);
  } catch {
    showToast("Песочница остановлена. Запустите её снова: python -m sandbox");
  }
  return false;
}

// A message is { text, entities, reply_to }; only the text is required.
export function say(text, { entities = [], reply_to = null } = {}) {
  scrollToEnd();
  return post("say", { text, entities, reply_to });
}

// Send files as photos, documents or a voice message; several make an album.
export async function sendFiles(kind, files, message) {
  if (files.some(({ size }) => !size || size > MAX_UPLOAD_BYTES)) {
    showToast("Telegram не примет ни пустой файл, ни файл больше 50 МБ.");
    return false;
  }
  const form = new FormData();
  files.forEach((file) => form.append("file", file));
  form.append("kind", kind);
  form.append("body", JSON.stringify(message));
  scrollToEnd();
  return post("files", form);
}
