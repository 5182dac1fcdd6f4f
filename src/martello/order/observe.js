// What a page really shows of a ranked list: which items, in which order people see them, and which of them were in view.
//
// Mark each item with data-martello-item="ID", anything put between with data-martello-kind="ad" besides, and items of
// another answer with data-martello-decision="ID". Order is read from where things stand on the screen, not from the
// document alone: CSS can move them. A plain ES module without dependencies; it never changes the page and never throws
// into it.

const ITEM = '[data-martello-item]';

/**
 * Read what a container shows now, in rows from the top, each row in reading direction. What has no size is not shown.
 * @param {Element} container
 * @returns {{id: string, slot: number, kind?: string, did?: string}[]}
 */
export function readOrder(container) {
  const boxes = [];
  for (const element of container.querySelectorAll(ITEM)) {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    if (box.width > 0 && box.height > 0 && style.visibility !== 'hidden') boxes.push({ element, box });
  }
  boxes.sort((a, b) => a.box.top - b.box.top); // stable: what stands level keeps the order of the document
  const sign = getComputedStyle(container).direction === 'rtl' ? -1 : 1;
  const rows = [];
  let middle = -Infinity;
  for (const each of boxes) {
    if (each.box.top >= middle) {
      rows.push([]);
      middle = each.box.top + each.box.height / 2;
    }
    rows[rows.length - 1].push(each);
  }
  const shown = [];
  for (const row of rows) {
    row.sort((a, b) => sign * (a.box.left - b.box.left));
    for (const { element } of row) {
      const { martelloItem: id, martelloKind: kind, martelloDecision: did } = element.dataset;
      shown.push({ id, slot: shown.length + 1, ...(kind && { kind }), ...(did && { did }) });
    }
  }
  return shown;
}

/**
 * Send a render event whenever what is shown has changed and then been quiet, and a view event for items that half of
 * themselves (or half of the screen) was in view of for a second.
 *
 * @param {Element} container
 * @param {object} options
 * @param {string} options.decision  id of the answer that the list came from
 * @param {(event: object) => void} options.send  takes each event, a CloudEvent
 * @param {string} [options.surface]  name of the place, such as "search.page"
 * @param {string} [options.build]  version of the page
 * @param {string} [options.client]  kind of client, such as "web"
 * @param {string} [options.subject]  as the API hashed it
 * @param {string} [options.arm]
 * @param {string} [options.seal]  token of the answer
 * @param {string} [options.layout]  "list" or "grid"
 * @param {number} [options.offset]  items of the answer on earlier pages
 * @param {() => ({id: string, reason: string}[])} [options.dropped]  what the page left out, and why
 * @param {() => (string | undefined)} [options.actor]  "user" while a person's own sort or filter is on
 * @param {() => boolean} [options.isComplete]  by default: the container is not aria-busy
 * @param {number} [options.quiet]  milliseconds without a change
 * @param {number} [options.dwell]  milliseconds in view
 * @returns {{flush: () => void, stop: () => void}}
 */
export function observeRender(container, options) {
  const { decision, send, surface = '', build = '', quiet = 200, dwell = 1000, offset = 0 } = options;
  const isComplete = options.isComplete ?? (() => container.getAttribute('aria-busy') !== 'true');
  const source = build ? `${surface}@${build}` : surface;
  let last = '';
  let waiting;

  const emit = (type, data) => {
    try {
      send({ specversion: '1.0', id: newId(), source, type, time: new Date().toISOString(), data });
    } catch (error) {
      console.warn('martello: an event could not be sent', error); // the page goes on
    }
  };
  const flush = () => {
    clearTimeout(waiting);
    waiting = undefined;
    const data = { did: decision, offset, complete: isComplete(), shown: readOrder(container) };
    for (const name of ['client', 'subject', 'arm', 'seal', 'layout']) {
      if (options[name] !== undefined) data[name] = options[name];
    }
    const dropped = options.dropped?.();
    const actor = options.actor?.();
    if (dropped?.length) data.dropped = dropped;
    if (actor) data.actor = actor;
    const now = JSON.stringify(data);
    if (now !== last) emit('martello.render.v1', data);
    last = now;
  };
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(flush, quiet);
  };

  const seen = new Set();
  const timers = new Map();
  const leave = (element) => {
    clearTimeout(timers.get(element));
    timers.delete(element);
  };
  const inView = new IntersectionObserver(
    (entries) => {
      for (const { target, intersectionRatio, intersectionRect, rootBounds } of entries) {
        const id = target.dataset.martelloItem;
        const isLarge = rootBounds !== null && intersectionRect.height >= rootBounds.height / 2;
        if (seen.has(id) || !(intersectionRatio >= 0.5 || isLarge)) leave(target);
        else if (!timers.has(target)) {
          const note = () => {
            seen.add(id);
            emit('martello.view.v1', { did: decision, item: id });
          };
          timers.set(target, setTimeout(note, dwell));
        }
      }
    },
    { threshold: [0, 0.25, 0.5, 0.75, 1] },
  );
  const watched = new Set();
  const watch = () => {
    const there = new Set(container.querySelectorAll(ITEM));
    for (const element of there) if (!watched.has(element)) inView.observe(element);
    for (const element of watched) {
      if (there.has(element)) continue;
      inView.unobserve(element);
      leave(element);
    }
    watched.clear();
    for (const element of there) watched.add(element);
  };

  const changes = new MutationObserver(() => {
    watch();
    soon();
  });
  changes.observe(container, { subtree: true, childList: true, attributes: true });
  const sizes = new ResizeObserver(soon); // also the first look: it reports once when it begins
  sizes.observe(container);
  watch();
  const stop = () => {
    if (waiting !== undefined) flush();
    changes.disconnect();
    sizes.disconnect();
    inView.disconnect();
    for (const element of [...timers.keys()]) leave(element);
    removeEventListener('pagehide', stop);
  };
  addEventListener('pagehide', stop);
  return { flush, stop };
}

function newId() {
  // Not randomUUID: that is there only on pages served over TLS.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
