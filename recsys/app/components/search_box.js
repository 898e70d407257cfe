// A search box that suggests movies while typing (ARIA combobox). Each query goes to Python, which tolerates spelling
// errors, and the matches come back as a list. Titles are inserted as text, never as HTML.

const PAUSE = 60; // milliseconds after the last key until the query is sent

class SearchBox {
  constructor(root) {
    this.root = root;
    this.input = root.querySelector("input");
    this.list = root.querySelector("ul");
    this.at = -1;
    this.found = [];
    this.isEager = false; // Enter was pressed before the matches arrived
    const id = `found-${Math.random().toString(36).slice(2)}`;
    this.list.id = id;
    this.input.setAttribute("aria-controls", id);
    this.input.addEventListener("input", () => this.typed());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("focus", () => this.open(this.found.length > 0));
    this.input.addEventListener("blur", () => this.open(false));
  }

  update(data) {
    this.data = data;
    this.root.querySelector("label").firstElementChild.textContent = data.label;
    this.input.placeholder = data.placeholder;
    this.input.setAttribute("aria-label", data.label);
    const typed = this.input.value.trim();
    if (data.asked !== typed) {
      if (typed) this.typed(); // matches of another query: the latest one may have been lost in a rerun
      return;
    }
    this.found = data.asked ? data.found : [];
    this.at = this.found.length ? 0 : -1;
    this.show();
    if (this.isEager && this.at >= 0) this.pick(0);
    this.isEager = false;
  }

  isCurrent() {
    return this.data.asked === this.input.value.trim();
  }

  show() {
    const { found, list } = this;
    list.replaceChildren(
      ...found.map(([, title, note], at) => {
        const option = document.createElement("li");
        option.role = "option";
        option.id = `${list.id}-${at}`;
        const name = Object.assign(document.createElement("bdi"), { textContent: title });
        const more = Object.assign(document.createElement("small"), { textContent: note });
        option.append(name, more);
        option.addEventListener("pointerdown", (event) => {
          event.preventDefault(); // keep the focus in the box
          this.pick(at);
        });
        return option;
      }),
    );
    const nothing = this.root.querySelector(".nothing");
    nothing.hidden = !this.input.value.trim() || !this.data.asked || found.length > 0;
    nothing.textContent = this.data.nothing;
    this.open(found.length > 0 && this.input.getRootNode().activeElement === this.input);
    this.highlight();
  }

  highlight() {
    [...this.list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === this.at)));
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
    if (this.at >= 0) this.input.setAttribute("aria-activedescendant", `${this.list.id}-${this.at}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  open(isOpen) {
    this.list.hidden = !isOpen;
    this.input.setAttribute("aria-expanded", String(isOpen));
  }

  typed() {
    clearTimeout(this.waiting);
    this.isEager = false;
    this.waiting = setTimeout(() => this.ask("typed", this.input.value.trim()), PAUSE);
  }

  key(event) {
    const n = this.found.length;
    if (event.isComposing) return; // Enter confirms a word of an input method, not the search
    if (event.key === "ArrowDown" && n) this.at = (this.at + 1) % n;
    else if (event.key === "ArrowUp" && n) this.at = (this.at + n - 1) % n;
    else if (event.key === "Enter" && !this.isCurrent()) this.isEager = true; // the list belongs to an older query: wait
    else if (event.key === "Enter" && this.at >= 0 && !this.list.hidden) this.pick(this.at);
    else if (event.key === "Escape") this.open(false);
    else return;
    event.preventDefault();
    if (event.key.startsWith("Arrow")) this.open(true);
    this.highlight();
  }

  pick(at) {
    const [item] = this.found[at];
    clearTimeout(this.waiting);
    this.input.value = "";
    this.found = [];
    this.data = { ...this.data, asked: "" };
    this.show();
    this.ask("typed", ""); // so that the same query can be sent again
    this.send("picked", item);
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".search-box");
  const box = (root.searchBox ??= new SearchBox(root));
  box.ask = component.setStateValue;
  box.send = component.setTriggerValue;
  box.update(component.data);
}
