// Elements, and when to show them.

/** Create an element; attributes named `on…` are event listeners. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const waiting = new Set();

/** Call a function at the next animation frame, once for all calls before it. */
export function onNextFrame(show) {
  if (waiting.has(show)) return;
  waiting.add(show);
  requestAnimationFrame(() => {
    waiting.delete(show);
    show();
  });
}
