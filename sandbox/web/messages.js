// How messages and the draft of an answer are shown.

import { post, say } from "./actions.js";
import { startEdit, startReply } from "./composer.js";
import { byId, chat, formatSize, make, senderName } from "./page.js";
import { contentElement, isWebAddress, linkElement } from "./text.js";

export function clearMessages() {
  endDraft();
  chat.messages = new Map();
  const startButton = make("button", { textContent: "Начать", onclick: () => say("/start") });
  const empty = make("div", { className: "empty" }, make("div", {}, "Здесь пока ничего нет."), startButton);
  byId("log").replaceChildren(empty);
}

// Show a new message, or the new version of a message.
export function showMessage(view) {
  const element = messageElement(view);
  const shown = chat.messages.get(view.message_id);
  if (shown) {
    shown.element.replaceWith(element);
  } else {
    byId("log").querySelector(".empty")?.remove();
    showDate(view.at);
    byId("log").append(element);
    if (draft) byId("log").append(draft.element); // the draft stays last
  }
  chat.messages.set(view.message_id, { view, element });
}

function showDate(seconds) {
  const date = new Date(seconds * 1000).toLocaleDateString("ru", { day: "numeric", month: "long" });
  const lastDate = [...byId("log").querySelectorAll(".date")].at(-1)?.textContent;
  if (lastDate !== date) byId("log").append(make("div", { className: "date", textContent: date }));
}

function messageElement(view) {
  const bubble = make(
    "div",
    { className: "bubble" },
    view.reply && quoteElement(view.reply),
    view.photo ? photoElement(view.photo) : null,
    view.document ? documentElement(view.document) : null,
    contentElement(view),
    make("span", { className: "time", textContent: (view.is_edited ? "изменено " : "") + formatTime(view.at) }),
    actionsElement(view),
  );
  const rows = view.buttons.map((row) =>
    make("div", { className: "buttons" }, ...row.map((button) => buttonElement(view, button))),
  );
  const className = view.is_own ? "message own" : "message";
  const element = make("div", { className }, bubble, ...rows);
  element.dataset.id = view.message_id;
  element.ondblclick = () => startReply(view);
  return element;
}

function formatTime(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString("ru", { hour: "2-digit", minute: "2-digit" });
}

// The message that a message replies to; a click scrolls to it.
function quoteElement(quote) {
  const onclick = () => {
    const element = chat.messages.get(quote.message_id)?.element;
    element?.scrollIntoView({ block: "center", behavior: "smooth" });
    element?.classList.add("flash");
    setTimeout(() => element?.classList.remove("flash"), 1200);
  };
  const name = make("b", {}, senderName(quote));
  return make("button", { className: "quote", onclick }, name, make("span", {}, quote.text));
}

// A picture on another server is shown as a link, so that opening the chat sends no request to that server.
function photoElement(photo) {
  if (isWebAddress(photo)) return linkElement(photo, "🖼 Картинка из интернета");
  return make("img", { className: "photo", src: `/people/${chat.person}/files/${photo}`, alt: "Картинка" });
}

function documentElement({ file_id, name, size }) {
  const extension = name.includes(".") ? name.split(".").at(-1).slice(0, 4) : "";
  const href = `/people/${chat.person}/files/${file_id}?name=${encodeURIComponent(name)}`;
  const title = make("div", {}, make("b", {}, name), make("small", {}, formatSize(size)));
  return make("a", { className: "document", href, download: name }, make("i", {}, extension), title);
}

function buttonElement(view, button) {
  const onclick = () => {
    if (button.copy_text) navigator.clipboard.writeText(button.copy_text.text);
    else if (button.url) window.open(button.url, "_blank", "noopener,noreferrer");
    else post("tap", { message_id: view.message_id, data: button.callback_data });
  };
  return make("button", { onclick }, button.text);
}

// The buttons next to a message: edit (one's own messages only) and reply.
function actionsElement(view) {
  const reply = make("button", { title: "Ответить", ariaLabel: "Ответить", onclick: () => startReply(view) }, "↩");
  const edit = make("button", { title: "Изменить", ariaLabel: "Изменить", onclick: () => startEdit(view) }, "✎");
  return make("div", { className: "actions" }, view.is_own ? edit : null, reply);
}

// A draft is an answer that is still being written. It ends when the message arrives or after a minute of silence.
const DRAFT_MS = 60_000;
let draft = null; // { draft_id, element, timer }

export function showDraft({ draft_id, html, text, can_stop }) {
  if (draft?.draft_id !== draft_id) {
    endDraft();
    byId("log").querySelector(".empty")?.remove();
    draft = { draft_id, element: draftElement(draft_id, can_stop), timer: 0 };
    byId("log").append(draft.element);
  }
  const isEmpty = html === undefined && !text;
  const content = isEmpty ? make("div", { className: "thinking" }, "Думает…") : contentElement({ html, text });
  draft.element.querySelector(".bubble").replaceChildren(content);
  clearTimeout(draft.timer);
  draft.timer = setTimeout(endDraft, DRAFT_MS);
}

function draftElement(draft_id, canStop) {
  const element = make("div", { className: "message draft" }, make("div", { className: "bubble" }));
  if (canStop) {
    const stop = make("button", {}, "■ Остановить");
    stop.onclick = () => {
      stop.disabled = true;
      post("stop", { draft_id });
    };
    element.append(make("div", { className: "buttons" }, stop));
  }
  return element;
}

export function endDraft() {
  if (!draft) return;
  clearTimeout(draft.timer);
  draft.element.remove();
  draft = null;
}
