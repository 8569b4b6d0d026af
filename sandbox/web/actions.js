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

export function say(text, reply_to = null) {
  scrollToEnd();
  return post("say", { text, reply_to });
}

export async function sendFile(file, caption, asPicture) {
  if (!file.size || file.size > MAX_UPLOAD_BYTES) {
    showToast("Telegram не примет ни пустой файл, ни больше 50 МБ.");
    return false;
  }
  const form = new FormData();
  form.append("file", file);
  form.append("caption", caption);
  form.append("is_picture", asPicture ? "1" : "");
  scrollToEnd();
  return post("file", form);
}
