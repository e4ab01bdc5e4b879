import type { ScreenProps } from "../app";

export default function Collections({ project }: ScreenProps) {
  return <h1>Collections {project}</h1>;
}
