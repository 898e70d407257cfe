// Keeps ratings in the browser's local storage, so that they survive a reload, and passes changes on to other tabs.
// Nothing is stored on the server.

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const key = `recsys:${data.name}`;
  const send = (kept, why) => setStateValue("kept", { kept, why });
  const listen = (event) => {
    if (event.key === key && event.newValue !== null) send(event.newValue, "another tab");
  };
  parentElement.stopListening?.();
  parentElement.stopListening = () => window.removeEventListener("storage", listen);
  try {
    const kept = localStorage.getItem(key);
    if (data.keep === null) {
      if (kept !== null) send(kept, "opened");
    } else if (data.keep !== kept) {
      localStorage.setItem(key, data.keep);
    }
    window.addEventListener("storage", listen);
  } catch (error) {
    console.warn("recsys: ratings cannot be stored:", error.message); // private windows may refuse
  }
  return parentElement.stopListening;
}
