/** The switch "On this device" of a server's page: the same prediction without an upload. */

import { OwnDevice } from "./device.js";
import { $, setText } from "./view.js";

/** `fetchBytes` gets a model's file from the server; `onChange` is called when somebody turns the switch. */
export function setUpOwnDevice({ fetchBytes, onChange }) {
  const device = new OwnDevice(), own = $("own-device");
  let address, loading, loaded;
  const tell = (text) => {
    $("own-device-note").hidden = text === "";
    setText($("own-device-note"), text);
  };
  own.addEventListener("change", () => {
    tell("");
    onChange();
  });

  const load = async (wanted) => {
    tell("The model is being loaded onto this device.");
    const { adapter } = await device.load(await fetchBytes(wanted));
    loaded = wanted;
    tell(`Computed here, on ${adapter}: no photo is sent.`);
  };

  return {
    /** Offers the switch where the server gives the model's file at an address, and takes it away where it does not. */
    offer(given) {
      address = given;
      $("own-device-choice").hidden = given === undefined;
      if (given === undefined) own.checked = false;
    },

    /** The device, ready with the model, or undefined where the server is to answer. */
    async chosen() {
      if (!own.checked || address === undefined) return undefined;
      if (loaded === address) return device;
      try {
        await (loading ??= load(address));
        return device;
      } catch ({ message }) {
        own.checked = false;
        tell(`${message} The server answers instead.`);
        return undefined;
      } finally {
        loading = undefined;
      }
    },
  };
}
