// Check a seal in a browser, without a secret: who signed it, and whether a page shows the sealed order.
//
// Needs WebCrypto with Ed25519, which browsers offer on pages served over TLS. Nothing here throws for what a seal holds:
// what cannot be believed comes back with its reason. How a seal is made is written in docs/order.md and in chain.py.

const WIDTH = 16;
const utf8 = new TextEncoder();

/**
 * Open a seal by its public signature.
 * @param {{token: string, signature?: string}} seal
 * @param {Record<string, string>} publicKeys  base64url by key id
 * @returns {Promise<{order: object} | {unverifiable: string}>}
 */
export async function openSeal(seal, publicKeys) {
  try {
    const payload = seal.token.split('.')[1];
    const [head, inside, signature, ...more] = (seal.signature ?? '').split('.');
    if (inside !== '' || signature === undefined || more.length) return { unverifiable: 'there is no signature' };
    const header = JSON.parse(new TextDecoder().decode(bytes(head)));
    if (header.alg !== 'EdDSA' || header.typ !== 'martello-order+jws') return { unverifiable: 'this is no seal' };
    if (!Object.hasOwn(publicKeys, header.kid)) return { unverifiable: `the key ${header.kid} is not known` };
    const key = await crypto.subtle.importKey('raw', bytes(publicKeys[header.kid]), 'Ed25519', false, ['verify']);
    const isSigned = await crypto.subtle.verify('Ed25519', key, bytes(signature), utf8.encode(`${head}.${payload}`));
    if (!isSigned) return { unverifiable: 'the signature is not of this seal' };
    const order = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes(payload)));
    const cuts = [0, ...order.cuts];
    const isWhole = cuts.every((cut, k) => k === 0 || cut > cuts[k - 1]) && cuts[cuts.length - 1] === order.n;
    if (!isWhole || bytes(order.chain).length !== WIDTH * order.cuts.length) return { unverifiable: 'this is no seal' };
    return { order };
  } catch (error) {
    return { unverifiable: `it cannot be checked: ${error.message}` };
  }
}

/**
 * Check the ids of a page, or of the beginning of the list, against an opened seal.
 * @param {object} order  as `openSeal` gave it
 * @param {string[]} ids
 * @param {number} [offset]  items of the list before this page
 * @returns {Promise<{proven: number, broken: boolean}>}  how many ids are proven, and whether the seal contradicts them
 */
export async function checkPage(order, ids, offset = 0) {
  const { cuts } = order;
  const chain = bytes(order.chain);
  const sealed = (k) => chain.slice(k * WIDTH, (k + 1) * WIDTH);
  const at = offset ? cuts.indexOf(offset) + 1 : 0;
  if (offset && !at) return { proven: 0, broken: false };
  let state = at ? sealed(at - 1) : await short([utf8.encode(`martello.order.v1\0${order.did}`)]);
  let last = offset;
  for (let k = at; k < cuts.length && cuts[k] - offset <= ids.length; k += 1) {
    state = await short([state, ...ids.slice(last - offset, cuts[k] - offset).map(frame)]);
    const right = sealed(k);
    if (state.some((byte, place) => byte !== right[place])) return { proven: last - offset, broken: true };
    last = cuts[k];
  }
  return { proven: last - offset, broken: ids.length > 0 && ids.length + offset > order.n };
}

function frame(id) {
  if (typeof id !== 'string') throw new TypeError('ids are strings');
  const text = utf8.encode(id);
  const framed = new Uint8Array(4 + text.length);
  new DataView(framed.buffer).setUint32(0, text.length);
  framed.set(text, 4);
  return framed;
}

async function short(parts) {
  const whole = new Uint8Array(await new Blob(parts).arrayBuffer());
  return new Uint8Array(await crypto.subtle.digest('SHA-256', whole)).slice(0, WIDTH);
}

function bytes(base64url) {
  const text = atob(base64url.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(text, (sign) => sign.charCodeAt(0));
}
