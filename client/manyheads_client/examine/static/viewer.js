// Pictures that zoom to their pixels and are dragged, together where several stand side by side.

const MOST = 64; // screen pixels for one of the image
const STEP = 1.25;
const MOVE = 40; // screen pixels an arrow key moves

/** Bring the viewers under `root` to life. */
export function enliven(root) {
  for (const group of root.querySelectorAll(".viewers")) new Group(group);
}

class Group {
  constructor(element) {
    this.element = element;
    this.frames = [...element.querySelectorAll(".frame")].map((frame) => new Frame(frame, this));
    this.place = null; // null: fitted; else { zoom, x, y }, the centre of the window as shares of the picture
    element.querySelectorAll("[data-zoom]").forEach((button) => {
      button.addEventListener("click", () => this[button.dataset.zoom]());
    });
    const slider = element.querySelector(".opacity");
    slider.addEventListener("input", () => this.fade(slider));
    this.fade(slider);
    element.querySelector(".whole")?.addEventListener("change", (event) => {
      for (const frame of this.frames) frame.show(event.target.checked);
      slider.disabled = event.target.checked; // saliency belongs to what the networks saw
      this.fit();
    });
    new ResizeObserver(() => this.draw()).observe(element);
  }

  fade(slider) {
    slider.nextElementSibling.value = `${slider.value} %`;
    for (const frame of this.frames) frame.map.style.opacity = slider.value / 100;
  }

  in() { this.zoom(STEP); }
  out() { this.zoom(1 / STEP); }
  fit() { this.place = null; this.draw(); }
  pixels() { this.set({ ...this.at(), zoom: 8 }); }

  at() { return this.place ?? { zoom: this.frames[0].fitting(), x: 0.5, y: 0.5 }; }

  /** Zoom, holding still the point of the picture at `share`, which lies `offset` screen pixels from the window's centre. */
  zoom(factor, offset = { x: 0, y: 0 }) {
    const frame = this.frames[0], now = this.at();
    const zoom = Math.min(Math.max(now.zoom * factor, frame.fitting() / 2), MOST);
    const gain = 1 / now.zoom - 1 / zoom;
    this.set({ zoom, x: now.x + (offset.x * gain) / frame.width, y: now.y + (offset.y * gain) / frame.height });
  }

  move(x, y) {
    const frame = this.frames[0], now = this.at();
    this.set({ ...now, x: now.x - x / (now.zoom * frame.width), y: now.y - y / (now.zoom * frame.height) });
  }

  set({ zoom, x, y }) {
    if (!this.frames[0].loaded) return;
    const held = (share) => Math.min(Math.max(share, 0), 1);
    this.place = { zoom, x: held(x), y: held(y) };
    this.draw();
  }

  draw() { for (const frame of this.frames) frame.draw(this.place); }
}

class Frame {
  constructor(element, group) {
    this.window = element.querySelector(".window");
    this.stage = element.querySelector(".stage");
    this.picture = element.querySelector(".picture");
    this.map = element.querySelector(".map");
    this.select = element.querySelector(".network");
    this.source = this.picture.getAttribute("src");
    this.picture.addEventListener("load", () => group.draw());
    this.select.addEventListener("change", () => {
      const { number, query } = this.select.dataset;
      this.map.src = `images/${number}/saliency/${this.select.value}.png${query ? `?${query}` : ""}`;
    });
    this.window.addEventListener("wheel", (event) => this.wheel(event, group), { passive: false });
    this.window.addEventListener("keydown", (event) => this.key(event, group));
    this.window.addEventListener("pointerdown", (event) => this.drag(event, group));
  }

  get loaded() { return this.picture.naturalWidth > 0; }
  get width() { return this.picture.naturalWidth || 1; }
  get height() { return this.picture.naturalHeight || 1; }

  fitting() { return Math.min(this.window.clientWidth / this.width, this.window.clientHeight / this.height); }

  show(whole) {
    this.picture.src = whole ? `${this.source}${this.source.includes("?") ? "&" : "?"}whole=true` : this.source;
    this.map.hidden = whole;
  }

  draw(place) {
    if (!this.loaded) return; // its size is not known yet; "load" draws it
    const { zoom, x, y } = place ?? { zoom: this.fitting(), x: 0.5, y: 0.5 };
    const left = this.window.clientWidth / 2 - x * this.width * zoom;
    const top = this.window.clientHeight / 2 - y * this.height * zoom;
    Object.assign(this.stage.style, {
      width: `${this.width * zoom}px`, height: `${this.height * zoom}px`, transform: `translate(${left}px, ${top}px)`,
    });
    this.window.dataset.zoom = zoom.toFixed(2);
  }

  wheel(event, group) {
    event.preventDefault();
    const box = this.window.getBoundingClientRect();
    const offset = { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
    group.zoom(event.deltaY < 0 ? STEP : 1 / STEP, offset);
  }

  key(event, group) {
    const does = {
      "+": () => group.in(), "=": () => group.in(), "-": () => group.out(), 0: () => group.fit(),
      ArrowLeft: () => group.move(MOVE, 0), ArrowRight: () => group.move(-MOVE, 0),
      ArrowUp: () => group.move(0, MOVE), ArrowDown: () => group.move(0, -MOVE),
    }[event.key];
    if (!does || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    does();
  }

  drag(event, group) {
    if (event.button) return;
    this.window.setPointerCapture(event.pointerId);
    let [x, y] = [event.clientX, event.clientY];
    const move = (next) => { group.move(next.clientX - x, next.clientY - y); [x, y] = [next.clientX, next.clientY]; };
    this.window.addEventListener("pointermove", move);
    this.window.addEventListener("lostpointercapture", () => this.window.removeEventListener("pointermove", move), { once: true });
  }
}
