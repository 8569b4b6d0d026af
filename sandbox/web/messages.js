// How messages and the draft of an answer are shown.

import { post, say } from "./actions.js";
import { startEdit, startReply } from "./composer.js";
import { mediaElements } from "./media.js";
import { byId, chat, copyText, make, makeUnseen, senderName } from "./page.js";
import { contentElement } from "./text.js";

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
    replaceKeepingFocus(shown.element, element);
  } else {
    byId("log").querySelector(".empty")?.remove();
    showDate(view.at);
    placeElement(view).append(element);
    if (draft) byId("log").append(draft.element); // the draft stays last
  }
  chat.messages.set(view.message_id, { view, element });
}

// Replace a message. If the focus was on one of its buttons, the same button gets it, or the one that took its place.
function replaceKeepingFocus(old, element) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const place = [...old.querySelectorAll(".buttons button")].indexOf(focused);
  old.replaceWith(element);
  if (!focused) return;
  const buttons = [...element.querySelectorAll(".buttons button")];
  const same = [...element.querySelectorAll("button")].find((button) => button.textContent === focused.textContent);
  const target = same ?? buttons[Math.min(Math.max(place, 0), buttons.length - 1)];
  (target ?? element.querySelector(".actions button:last-child")).focus({ preventScroll: true });
}

// Return where a new message goes: into the log, or into the album that it belongs to.
function placeElement({ group, is_own }) {
  const last = [...byId("log").children].filter((child) => !child.matches(".draft")).at(-1);
  if (!group || last?.dataset.group === group) return group ? last : byId("log");
  const album = make("div", { className: is_own ? "album own" : "album", role: "group", ariaLabel: "Альбом" });
  album.dataset.group = group;
  byId("log").append(album);
  return album;
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
    makeUnseen(`${senderName(view)}: `),
    view.reply && quoteElement(view.reply),
    view.origin ? make("div", { className: "origin" }, "Переслано: ", make("b", {}, view.origin)) : null,
    ...mediaElements(view),
    contentElement(view),
    make("span", { className: "time", textContent: (view.is_edited ? "изменено " : "") + formatTime(view.at) }),
    actionsElement(view),
  );
  const rows = view.buttons.map((row) =>
    make("div", { className: "buttons" }, ...row.map((button) => buttonElement(view, button))),
  );
  const reactions = view.reactions.map((emoji) => make("span", { className: "reaction" }, emoji));
  const className = view.is_own ? "message own" : "message";
  const element = make("div", { className }, bubble, ...reactions, ...rows);
  element.dataset.id = view.message_id;
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

function buttonElement(view, button) {
  const onclick = () => {
    if (button.copy_text) copyText(button.copy_text.text);
    else if (button.url) window.open(button.url, "_blank", "noopener,noreferrer");
    else post("tap", { message_id: view.message_id, data: button.callback_data });
  };
  return make("button", { onclick }, button.text);
}

// The buttons next to a message: edit (one's own messages only), forward and reply.
function actionsElement(view) {
  const reply = make("button", { title: "Ответить", ariaLabel: "Ответить", onclick: () => startReply(view) }, "↩");
  const edit = make("button", { title: "Изменить", ariaLabel: "Изменить", onclick: () => startEdit(view) }, "✎");
  const onclick = () => post("forward", { message_id: view.message_id });
  const forward = make("button", { title: "Переслать боту", ariaLabel: "Переслать боту", onclick }, "↪");
  return make("div", { className: "actions" }, view.is_editable ? edit : null, forward, reply);
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
  const bubble = make("div", { className: "bubble" });
  const element = make("div", { className: "message draft", ariaLive: "off" }, bubble); // only the message is announced
  if (canStop) {
    const stop = make("button", {}, "■ Остановить");
    stop.onclick = () => {
      if (stop.ariaDisabled) return; // a disabled button would lose the focus
      stop.ariaDisabled = "true";
      post("stop", { draft_id });
    };
    element.append(make("div", { className: "buttons" }, stop));
  }
  return element;
}

export function endDraft() {
  if (!draft) return;
  clearTimeout(draft.timer);
  if (draft.element.querySelector(":focus-visible")) byId("text").focus(); // Stop was pressed with the keyboard
  draft.element.remove();
  draft = null;
}
