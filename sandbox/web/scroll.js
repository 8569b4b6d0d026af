// The chat stays scrolled to its end as it grows, unless the person has scrolled up.

import { byId } from "./page.js";

const NEAR_END = 60; // pixels
let isAtEnd = true;

// Return what scrolls: the chat, or on a low screen the whole page.
function scroller() {
  const chat = byId("scroll");
  return getComputedStyle(chat).overflowY === "auto" ? chat : document.scrollingElement;
}

export function followEnd() {
  let previousTop = 0;
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = scroller();
    // The chat may have grown since the page scrolled, so only an upward move comes from the person.
    if (scrollHeight - scrollTop - clientHeight < NEAR_END) isAtEnd = true;
    else if (scrollTop < previousTop) isAtEnd = false;
    previousTop = scrollTop;
    byId("down").hidden = isAtEnd;
  };
  byId("scroll").onscroll = onScroll;
  document.onscroll = onScroll;
  const observer = new ResizeObserver(() => {
    if (isAtEnd) scrollToEnd();
  });
  observer.observe(byId("log"));
  observer.observe(byId("scroll"));
  byId("down").onclick = scrollToEnd;
}

export function scrollToEnd() {
  isAtEnd = true;
  byId("down").hidden = true;
  scroller().scrollTop = scroller().scrollHeight;
}
