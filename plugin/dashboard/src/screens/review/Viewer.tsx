// Before, after and what was removed, side by side, with one cross-hair. The viewer is loaded when first needed.
import type { Niivue } from "@niivue/niivue";
import { useEffect, useRef, useState } from "preact/hooks";
import { Refusal } from "../../components/basic";

export type View = "axial" | "sagittal" | "coronal" | "face" | "all";
export const VIEWS: readonly { view: View; key: string; title: string }[] = [
  { view: "axial", key: "a", title: "Axial" },
  { view: "sagittal", key: "s", title: "Sagittal" },
  { view: "coronal", key: "c", title: "Coronal" },
  { view: "face", key: "f", title: "Face" },
  { view: "all", key: "m", title: "All" },
];

export interface Images {
  before: ArrayBuffer | undefined;
  after: ArrayBuffer | undefined;
  mask: ArrayBuffer | undefined;
}

interface Pane {
  title: string;
  layers: { name: string; bytes: ArrayBuffer; isMask: boolean }[];
}

/** The panes that there are images for; what was removed is shown on the original where that may be seen. */
export function panesOf({ before, after, mask }: Images): Pane[] {
  const layer = (name: string, bytes: ArrayBuffer, isMask = false) => ({ name: `${name}.nii.gz`, bytes, isMask });
  const panes: Pane[] = [];
  if (before) panes.push({ title: "Before", layers: [layer("before", before)] });
  if (after) panes.push({ title: "After", layers: [layer("after", after)] });
  const ground = before ?? after;
  if (ground && mask) panes.push({ title: "Removed", layers: [layer("ground", ground), layer("mask", mask, true)] });
  return panes;
}

export function hasWebGl(): boolean {
  return document.createElement("canvas").getContext("webgl2") !== null;
}

export function Viewer({ images, view }: { images: Images; view: View }) {
  const panes = panesOf(images);
  const titles = panes.map((pane) => pane.title).join(" ");
  const canvases = useRef<(HTMLCanvasElement | null)[]>([]);
  const [viewers, setViewers] = useState<Niivue[]>([]);
  const [state, setState] = useState<"loading" | "ready">("loading");
  const [error, setError] = useState<unknown>();

  useEffect(() => {
    let gone = false;
    const made: Niivue[] = [];
    setError(undefined);
    void (async () => {
      const niivue = await import("@niivue/niivue");
      for (const canvas of canvases.current.slice(0, panes.length)) {
        if (gone || !canvas) return;
        const viewer = new niivue.Niivue(OPTIONS);
        made.push(viewer);
        await viewer.attachToCanvas(canvas);
      }
      for (const viewer of made) viewer.broadcastTo(made.filter((other) => other !== viewer), LINKED);
      if (!gone) setViewers(made);
    })().catch(setError);
    return () => {
      gone = true;
      setViewers([]);
      for (const viewer of made) {
        viewer.cleanup();
        viewer.gl?.getExtension("WEBGL_lose_context")?.loseContext();
      }
    };
  }, [titles]);

  useEffect(() => {
    if (!viewers.length) return undefined;
    let gone = false;
    setState("loading");
    setError(undefined);
    void (async () => {
      for (const [at, pane] of panes.entries()) {
        const viewer = viewers[at];
        if (gone || !viewer) return;
        await show(viewer, pane);
      }
      if (!gone) {
        for (const viewer of viewers) turn(viewer, view, true);
        setState("ready");
      }
    })().catch((failure: unknown) => gone || setError(failure));
    return () => {
      gone = true;
    };
  }, [viewers, images.before, images.after, images.mask]);

  useEffect(() => {
    if (state === "ready") for (const viewer of viewers) turn(viewer, view);
  }, [view, state, viewers]);

  return (
    <div class="viewer" data-state={state} aria-busy={state === "loading"}>
      <Refusal error={error && new Error("The images could not be drawn. Their pictures are below.")} />
      <div class={`panes panes-${panes.length}`}>
        {panes.map((pane, at) => (
          <figure key={`${titles} ${pane.title}`}>
            <figcaption>{pane.title}</figcaption>
            <div>
              <canvas
                ref={(canvas) => {
                  canvases.current[at] = canvas;
                }}
                aria-label={`${pane.title}, ${view} view`}
                role="img"
              />
            </div>
          </figure>
        ))}
      </div>
    </div>
  );
}

const LINKED = { "2d": true, "3d": true, zoomPan: true, crosshair: true };

const OPTIONS = {
  backColor: [0.05, 0.07, 0.08, 1],
  crosshairColor: [0.42, 0.76, 0.82, 0.9],
  crosshairWidth: 0.8,
  crosshairWidthUnit: "mm" as const,
  show3Dcrosshair: false,
  isColorbar: false,
  isOrientCube: false,
  dragAndDropEnabled: false,
  loadingText: "",
  logLevel: "error" as const,
  // keys belong to the page
  clipPlaneHotKey: "",
  cycleClipPlaneHotKey: "",
  viewModeHotKey: "",
};

async function show(viewer: Niivue, pane: Pane): Promise<void> {
  const urls: string[] = [];
  try {
    await viewer.loadVolumes(
      pane.layers.map(({ name, bytes, isMask }) => {
        const url = URL.createObjectURL(new Blob([bytes]));
        urls.push(url);
        return isMask ? { url, name, colormap: "red", opacity: 0.7, cal_min: 0.5, cal_max: 1.5 } : { url, name };
      }),
    );
  } finally {
    for (const url of urls) URL.revokeObjectURL(url);
  }
}

/** `fresh`: other images than before are in it. */
function turn(viewer: Niivue, view: View, fresh = false): void {
  const types = {
    axial: viewer.sliceTypeAxial,
    sagittal: viewer.sliceTypeSagittal,
    coronal: viewer.sliceTypeCoronal,
    face: viewer.sliceTypeRender,
    all: viewer.sliceTypeMultiplanar,
  };
  const wasFace = viewer.opts.sliceType === viewer.sliceTypeRender;
  viewer.setSliceType(types[view]);
  if ((view === "face") === wasFace && !fresh) return;
  if (view === "face") viewer.setRenderAzimuthElevation(180, 5);
  if (view === "face" || wasFace) light(viewer, view === "face");
}

const WINDOWS = new WeakMap<object, { low: number; high: number }>();
/** Of a CT in Hounsfield units: from fat upwards all is opaque, so that skin is what one sees. */
const SKIN = { low: -350, high: 150 };
const LIGHT = 0.6;

/** The face is looked at as a lit surface; slices in the window of the image. */
function light(viewer: Niivue, on: boolean): void {
  const ground = viewer.volumes[0];
  if (!ground) return;
  if (!WINDOWS.has(ground)) WINDOWS.set(ground, { low: ground.cal_min ?? 0, high: ground.cal_max ?? 1 });
  const isCt = (ground.global_min ?? 0) < -500;
  const window = on && isCt ? SKIN : WINDOWS.get(ground)!;
  ground.cal_min = window.low;
  ground.cal_max = window.high;
  void viewer.setVolumeRenderIllumination(on ? LIGHT : 0);
}
