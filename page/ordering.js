// Puts the modules of one ordering together.

import { bindControls } from "./controls.js";
import { createConversation } from "./conversation.js";
import { createConversationView } from "./conversation_view.js";
import { createFailures } from "./failures.js";
import { createLiveSession } from "./live_session.js";
import { createOrder } from "./order.js";
import { createOrderView } from "./order_view.js";
import { withPlainNames } from "./state.js";

/** Create an ordering in the elements of a session. `reject` is called if the service rejects the credentials. */
export function createOrdering(session, reject) {
  const { state, service, signal } = session;
  const conversation = createConversation(session);
  const conversationView = createConversationView(session);
  const orderView = createOrderView(session, conversationView);
  const failures = createFailures(session, orderView, reject);
  const order = createOrder(session, { conversation, conversationView, orderView, failures });
  const live = createLiveSession(session, { conversationView, orderView, failures, order });
  bindControls(session, { orderView, order, live });
  signal.addEventListener("abort", live.close);

  /** Show a menu, and the conversation in this tab that was about it. */
  async function openMenu(id) {
    const { menu } = await service.request("GET", `voice/menus/${encodeURIComponent(id)}`);
    if (signal.aborted) return;
    state.menu = withPlainNames(menu);
    if (!conversation.restore()) conversation.forget();
    orderView.showAll();
    order.loadSuggestions();
  }

  /** Tell the customer if spoken orders have to wait. */
  async function checkModels() {
    const { checks } = await service.readiness();
    if (checks.speech === false) failures.awaitModels();
  }

  orderView.showAll();
  return { ...orderView, ...failures, ...order, press: live.press, openMenu, checkModels };
}
