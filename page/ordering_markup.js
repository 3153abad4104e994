// The elements of an ordering. Texts are filled in by key: `data-text`, `data-text-label`, `data-text-placeholder`.

export const ORDERING_MARKUP = `
<section class="speech">
  <div class="conversation">
    <div class="card-head">
      <h2 id="conversation-title" data-text="conversation"></h2>
      <button type="button" id="voice" class="quiet" aria-pressed="true" data-text-label="read_aloud">
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z"/><path class="on" d="M15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11"/><path class="off" d="m16 9.5 5 5m0-5-5 5"/></svg>
      </button>
    </div>
    <div id="log" class="log" tabindex="0" role="group" aria-labelledby="conversation-title">
      <p id="invitation" class="invitation" data-text="say_something"></p>
      <div id="examples" class="examples"></div>
      <ol id="turns" class="turns" role="log" aria-labelledby="conversation-title"></ol>
      <p id="words" class="words" aria-hidden="true"><span id="stable"></span><span id="unstable"></span></p>
    </div>
    <div id="questions" class="questions"></div>
    <canvas id="level" class="level" height="44" aria-hidden="true"></canvas>
  </div>
  <div class="dock">
    <div class="ways">
      <form id="typing" class="typing">
        <label class="hidden" for="text" data-text="or_type"></label>
        <input id="text" name="text" maxlength="2000" autocomplete="off" autocapitalize="off" enterkeyhint="send" data-text-placeholder="or_type">
        <button type="submit" id="send" class="round" data-text-label="send">
          <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 19V5m-6 6 6-6 6 6"/></svg>
        </button>
      </form>
      <label class="chooser">
        <span class="hidden" data-text="spoken_language"></span>
        <select id="spoken"></select>
      </label>
    </div>
    <button type="button" id="talk" class="talk" aria-pressed="false">
      <svg viewBox="0 0 24 24" aria-hidden="true"><rect x="9" y="3" width="6" height="11" rx="3"/><path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3"/></svg>
      <span><span id="talk-word"></span> <small id="talk-hint"></small></span>
    </button>
  </div>
  <details id="menu-list" class="carte">
    <summary data-text="menu"></summary>
    <div id="carte"></div>
  </details>
</section>

<section class="basket" aria-labelledby="order-title">
  <div class="receipt" id="receipt">
    <div class="card-head">
      <h2 id="order-title" data-text="order"></h2>
      <span class="tools-right">
        <button type="button" id="undo" class="quiet">
          <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M9 7 4 12l5 5M4 12h10a6 6 0 0 1 6 6"/></svg>
          <span data-text="undo"></span>
        </button>
        <button type="button" id="restart" class="quiet" data-text="new_order"></button>
      </span>
    </div>
    <p id="order-empty" class="empty" data-text="order_empty"></p>
    <ol id="lines" class="lines"></ol>
    <ul id="notes" class="notes"></ul>
    <p id="sum" class="total"><span data-text="total"></span> <span class="amount"><span id="from" data-text="from" hidden></span> <strong id="total"></strong></span></p>
    <div id="missing" class="missing" role="alert" hidden></div>
    <button type="button" id="place" class="place" data-text="place"></button>
    <div id="placed" class="placed" hidden>
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d="m5 12.5 4.5 4.5L19 7.5"/></svg>
      <p><strong data-text="placed"></strong><br><span id="placed-details"></span></p>
      <button type="button" id="again" class="quiet" data-text="new_order"></button>
    </div>
  </div>
  <section id="suggested" class="suggested" aria-labelledby="suggestions-title" hidden>
    <h2 id="suggestions-title" data-text="suggestions"></h2>
    <ul id="suggestions"></ul>
  </section>
</section>
`;
