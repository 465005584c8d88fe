/** Classes and photos that somebody gathers in a page, kept in the browser's own files, so that a reload loses nothing. */

const FOLDER = "train", LIST = "project.json", MODEL = "trained.safetensors";

/** Photos by class, and the model; every change is kept before it is over. */
export class Project {
  /** `{ id, name, photos: [{ id, blob }] }`, in the order in which they were made. */
  classes = [];
  /** The file of what was trained last, as a Blob; undefined before. */
  model;
  #folder;

  /** What was kept, or an empty project. `kept` is false where the browser keeps no files, as in private windows of some. */
  static async open() {
    const project = new Project();
    try {
      const root = await navigator.storage.getDirectory();
      project.#folder = await root.getDirectoryHandle(FOLDER, { create: true });
      await project.#read();
    } catch {
      project.#folder = undefined;
    }
    return project;
  }

  get kept() {
    return this.#folder !== undefined;
  }

  async keepModel(bytes) {
    this.model = new Blob([bytes]);
    if (this.#folder) await this.#write(MODEL, this.model);
  }

  async addClass(name) {
    const made = { id: crypto.randomUUID(), name, photos: [] };
    this.classes.push(made);
    await this.#save();
    return made;
  }

  async rename(one, name) {
    one.name = name;
    await this.#save();
  }

  async removeClass(one) {
    this.classes = this.classes.filter((each) => each !== one);
    await this.#save();
    for (const { id } of one.photos) await this.#folder?.removeEntry(id).catch(() => {});
  }

  async addPhotos(one, blobs) {
    for (const blob of blobs) {
      const photo = { id: crypto.randomUUID(), blob };
      if (this.#folder) await this.#write(photo.id, blob);
      one.photos.push(photo);
    }
    await this.#save();
  }

  async removePhoto(one, photo) {
    one.photos = one.photos.filter((each) => each !== photo);
    await this.#save();
    await this.#folder?.removeEntry(photo.id).catch(() => {});
  }

  async #read() {
    this.model = await this.#file(MODEL);
    const file = await this.#file(LIST);
    if (file === undefined) return;
    for (const { id, name, photos } of JSON.parse(await file.text())) {
      const found = await Promise.all(
        photos.map(async (photo) => ({ id: photo, blob: await this.#file(photo) })),
      );
      this.classes.push({ id, name, photos: found.filter(({ blob }) => blob !== undefined) });
    }
  }

  /** The list is written last: what it names is there. */
  async #save() {
    if (!this.#folder) return;
    const list = this.classes.map(({ id, name, photos }) => ({
      id,
      name,
      photos: photos.map((photo) => photo.id),
    }));
    await this.#write(LIST, JSON.stringify(list));
  }

  async #write(name, content) {
    const handle = await this.#folder.getFileHandle(name, { create: true });
    const file = await handle.createWritable();
    await file.write(content);
    await file.close();
  }

  async #file(name) {
    return await this.#folder.getFileHandle(name).then((handle) => handle.getFile(), () => undefined);
  }
}
