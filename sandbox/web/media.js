// Photos, voice messages, films, files, places and contacts as elements.

import { chat, formatDuration, formatSize, make } from "./page.js";
import { isWebAddress, linkElement } from "./text.js";

const addressOf = (file_id) => `/people/${chat.person}/files/${file_id}`;

// Return the elements of everything that a message holds besides its text.
export function mediaElements(view) {
  return [
    view.photo ? photoElement(view) : null,
    view.media ? playerElement(view.media) : null,
    view.document ? documentElement(view.document) : null,
    view.place ? placeElement(view.place) : null,
    view.contact ? contactElement(view.contact) : null,
  ];
}

// A picture on another server is shown as a link, so that opening the chat sends no request to that server.
function photoElement({ photo, has_spoiler, text }) {
  if (isWebAddress(photo)) return linkElement(photo, "🖼 Картинка из интернета");
  const alt = text ? `Картинка: ${text.split("\n")[0]}` : "Картинка без подписи";
  const image = make("img", { className: "photo", src: addressOf(photo), alt });
  if (!has_spoiler) return image;
  const cover = make("button", { className: "covered", ariaLabel: "Показать картинку" }, image);
  cover.onclick = () => cover.replaceWith(image);
  return cover;
}

function playerElement({ kind, file_id, name, duration, title, performer, emoji }) {
  if (kind === "sticker") {
    return make("img", { className: "sticker", src: addressOf(file_id), alt: `Стикер ${emoji ?? ""}` });
  }
  const label = `${name}, ${formatDuration(duration)}`;
  if (kind === "voice" || kind === "audio") {
    const caption = kind === "audio" && title ? `${performer ? `${performer} — ` : ""}${title}` : label;
    const player = make("audio", { controls: true, preload: "none", src: addressOf(file_id), ariaLabel: label });
    return make("div", { className: "sound" }, make("small", {}, caption), player);
  }
  const film = { className: kind, src: addressOf(file_id), preload: "metadata", ariaLabel: label };
  const repeats = kind === "animation" ? { autoplay: true, loop: true, muted: true } : {};
  return make("video", { ...film, controls: true, playsInline: true, ...repeats });
}

function documentElement({ file_id, name, size }) {
  const extension = name.includes(".") ? name.split(".").at(-1).slice(0, 4) : "";
  const href = `${addressOf(file_id)}?name=${encodeURIComponent(name)}`;
  const title = make("div", {}, make("b", {}, name), make("small", {}, formatSize(size)));
  return make("a", { className: "document", href, download: name }, make("i", {}, extension), title);
}

function placeElement({ title, address, location }) {
  const { latitude, longitude } = location;
  const point = `${latitude.toFixed(4)}, ${longitude.toFixed(4)}`;
  const href = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}&zoom=16`;
  return cardElement("📍", linkElement(href, title ?? "Место на карте"), address ? `${address} · ${point}` : point);
}

function contactElement({ first_name, last_name, phone_number }) {
  return cardElement("👤", make("b", {}, [first_name, last_name].filter(Boolean).join(" ")), phone_number);
}

function cardElement(icon, title, details) {
  return make("div", { className: "card" }, make("i", {}, icon), make("div", {}, title, make("small", {}, details)));
}
