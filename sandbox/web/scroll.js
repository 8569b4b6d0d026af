// The chat stays scrolled to its end as it grows, unless the person has scrolled up.

import { byId } from "./page.js";

const NEAR_END = 60; // pixels
let isAtEnd = true;

export function followEnd() {
  const scroll = byId("scroll");
  let previousTop = 0;
  scroll.onscroll = () => {
    // The chat may have grown since the page scrolled, so only an upward move comes from the person.
    if (scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_END) isAtEnd = true;
    else if (scroll.scrollTop < previousTop) isAtEnd = false;
    previousTop = scroll.scrollTop;
    byId("down").hidden = isAtEnd;
  };
  const observer = new ResizeObserver(() => {
    if (isAtEnd) scrollToEnd();
  });
  observer.observe(byId("log"));
  observer.observe(scroll);
  byId("down").onclick = scrollToEnd;
}

export function scrollToEnd() {
  isAtEnd = true;
  byId("down").hidden = true;
  byId("scroll").scrollTop = byId("scroll").scrollHeight;
}
