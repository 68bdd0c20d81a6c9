// A visitor's own photo in the browser's storage, so that Back and a reload find it. It does not leave the machine.

/** @import { Picture } from "./types" */

/** id: by which it is kept; name: of its file. @typedef {{ id: string, name: string, picture: Picture }} OwnPhoto */

const [BASE, STORE] = ["kpnviz", "photos"];
const MOST = 4; // that are kept, of up to 16 MB each: those that one may go back to

/**
 * What comes of one request. It throws where the browser keeps nothing for this page.
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T>} work
 * @returns {Promise<T>}
 */
async function asked(mode, work) {
  /** @type {IDBDatabase} */
  const base = await new Promise((resolve, reject) => {
    const opening = indexedDB.open(BASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "id" });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
  try {
    return await new Promise((resolve, reject) => {
      const transaction = base.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    base.close();
  }
}

/** An id for a photo: later ones come behind earlier ones. */
export function newId() {
  return `${Date.now()} ${Math.random()}`;
}

/** Keep a photo, and let the oldest ones go. @param {OwnPhoto} photo */
export async function keepPhoto(photo) {
  await asked("readwrite", (store) => {
    const request = store.put(photo);
    const keys = store.getAllKeys();
    keys.onsuccess = () => keys.result.slice(0, -MOST).forEach((key) => store.delete(key));
    return request;
  });
}

/** A photo that is kept; null where it is not, or no more. @param {string} id @returns {Promise<OwnPhoto | null>} */
export async function keptPhoto(id) {
  return (await asked("readonly", (store) => store.get(id)).catch(() => null)) ?? null;
}

/** Let all go. */
export async function forgetPhotos() {
  await asked("readwrite", (store) => store.clear());
}
