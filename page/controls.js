// Binds the controls of an ordering.

/** Bind the controls of a session. */
export function bindControls({ root, $, state, speech, kept, actions, signal }, { orderView, order, live }) {
  const talk = $("talk");
  talk.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    talk.setPointerCapture(event.pointerId);
    live.press();
  });
  talk.addEventListener("pointerup", live.release);
  talk.addEventListener("pointercancel", live.release);
  talk.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch would open it
  // Assistive technology sends a click without pointer events.
  talk.addEventListener("click", (event) => {
    if (event.detail !== 0) return;
    live.press();
    live.release();
  });

  // A key on the button is held like the button.
  const isTalkKey = ({ key, ctrlKey, altKey, metaKey }) => [" ", "Enter"].includes(key) && !ctrlKey && !altKey && !metaKey;
  talk.addEventListener("keydown", (event) => {
    if (!isTalkKey(event)) return;
    event.preventDefault();
    if (!event.repeat) live.press();
  });
  talk.addEventListener("keyup", (event) => isTalkKey(event) && event.preventDefault()); // it would click
  addEventListener("keyup", ({ key }) => [" ", "Enter"].includes(key) && live.release(), { signal }); // the focus may have moved
  const onUndoKey = (event) => {
    if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.target.closest("input, textarea")) return;
    event.preventDefault();
    order.undo();
  };
  root.addEventListener("keydown", onUndoKey);

  document.addEventListener(
    "visibilitychange",
    () => {
      state.held = false;
      if (!document.hidden) return;
      speech.stop();
      if (state.phase === "listening") live.end();
    },
    { signal },
  );

  $("typing").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    if (text) order.sendText(text);
  });
  $("voice").addEventListener("click", () => {
    speech.turn(!speech.isOn);
    orderView.showAll();
  });
  $("undo").addEventListener("click", order.undo);
  $("restart").addEventListener("click", order.startOver);
  $("place").addEventListener("click", order.placeOrder);
  $("again").addEventListener("click", () => {
    order.startOver();
    talk.focus();
  });
  $("spoken").addEventListener("change", () => {
    state.spoken = $("spoken").value;
    kept.set("spoken", state.spoken);
    actions.pause(); // the language belongs to the connection
  });
}
