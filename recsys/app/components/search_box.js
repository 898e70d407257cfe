// A box to find a movie in while typing. What was typed goes to Python, which knows how to forgive spelling; what it
// found comes back and is offered as a list (ARIA combobox). Titles are set as text, never as HTML.

const PAUSE = 60; // milliseconds without a key before Python is asked

class SearchBox {
  constructor(root) {
    this.root = root;
    this.input = root.querySelector("input");
    this.list = root.querySelector("ul");
    this.at = -1;
    this.found = [];
    this.isEager = false; // Enter was pressed before the answer came
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
      if (typed) this.typed(); // an answer to something else: what was typed since may have got lost in a rerun
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
          event.preventDefault(); // the box keeps the focus
          this.pick(at);
        });
        return option;
      }),
    );
    const nothing = this.root.querySelector(".nothing");
    nothing.hidden = !this.input.value.trim() || !this.data.asked || found.length > 0;
    nothing.textContent = this.data.nothing;
    this.open(found.length > 0 && this.input.getRootNode().activeElement === this.input);
    this.mark();
  }

  mark() {
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
    if (event.isComposing) return; // Enter ends a word of Chinese, not the search
    if (event.key === "ArrowDown" && n) this.at = (this.at + 1) % n;
    else if (event.key === "ArrowUp" && n) this.at = (this.at + n - 1) % n;
    else if (event.key === "Enter" && !this.isCurrent()) this.isEager = true; // the list is of an older question: wait
    else if (event.key === "Enter" && this.at >= 0 && !this.list.hidden) this.pick(this.at);
    else if (event.key === "Escape") this.open(false);
    else return;
    event.preventDefault();
    if (event.key.startsWith("Arrow")) this.open(true);
    this.mark();
  }

  pick(at) {
    const [item] = this.found[at];
    clearTimeout(this.waiting);
    this.input.value = "";
    this.found = [];
    this.data = { ...this.data, asked: "" };
    this.show();
    this.ask("typed", ""); // so that the same words can be asked again
    this.tell("picked", item);
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".search-box");
  const box = (root.searchBox ??= new SearchBox(root));
  box.ask = component.setStateValue;
  box.tell = component.setTriggerValue;
  box.update(component.data);
}
