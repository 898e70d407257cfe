// Keeps what a person rated in their own browser, so that it survives a reload. Nothing leaves for anywhere else.

export default function (component) {
  const { data, setStateValue } = component;
  const place = `recsys:${data.name}`;
  try {
    if (data.keep !== null) {
      localStorage.setItem(place, data.keep);
    } else {
      const kept = localStorage.getItem(place);
      if (kept !== null) setStateValue("kept", kept);
    }
  } catch (error) {
    console.warn("recsys: this browser keeps nothing:", error.message); // private windows may refuse
  }
}
