// Keeps what a person rated in their own browser, so that it survives a reload, and tells other tabs. Nothing leaves
// for anywhere else.

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const place = `recsys:${data.name}`;
  const tell = (kept, why) => setStateValue("kept", { kept, why });
  const listen = (event) => {
    if (event.key === place && event.newValue !== null) tell(event.newValue, "another tab");
  };
  parentElement.stopListening?.();
  parentElement.stopListening = () => window.removeEventListener("storage", listen);
  try {
    const kept = localStorage.getItem(place);
    if (data.keep === null) {
      if (kept !== null) tell(kept, "opened");
    } else if (data.keep !== kept) {
      localStorage.setItem(place, data.keep);
    }
    window.addEventListener("storage", listen);
  } catch (error) {
    console.warn("recsys: this browser keeps nothing:", error.message); // private windows may refuse
  }
  return parentElement.stopListening;
}
