// The presenter as a component of Streamlit (components v2). Python is told which example is wanted, not how far to go: where keys
// come faster than pages, none is lost.

import { Presenter } from "../../lens/presenter/presenter.js";
import { called } from "../latest_call.js";

/** @import { Told } from "../../lens/presenter/presenter.js" */

class Host {
  /** @param {HTMLElement} root */
  constructor(root) {
    /** @type {(name: string, value: any) => void} */
    this.report = () => {};
    this.presenter = new Presenter(root, (number) => this.report("example", number));
  }

  /**
   * @param {Told} told
   * @param {(name: string, value: any) => void} report
   */
  update(told, report) {
    this.report = report;
    this.presenter.update(told);
  }
}

/** @type {WeakMap<Element, Host>} */
const hosts = new WeakMap();

/**
 * Called again for every run of the script.
 * @param {{ data: Told, parentElement: ParentNode, setTriggerValue: (name: string, value: any) => void }} component
 */
export default function ({ data, parentElement, setTriggerValue }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".presenter-host"));
  const host = hosts.get(root) ?? new Host(root);
  hosts.set(root, host);
  return called(
    root,
    () => host.update(data, setTriggerValue),
    () => {
      host.presenter.destroy();
      hosts.delete(root);
    },
  );
}
