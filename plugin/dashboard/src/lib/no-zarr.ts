// Stands for the zarr reader of niivue: we open NIfTI only, and its codecs weigh 1.3 MB (see vite.config.ts).
const absent = (): never => {
  throw new Error("zarr files are not read here");
};
export const open = absent;
export const get = absent;
export const root = absent;
export const slice = absent;
export class FetchStore {}
