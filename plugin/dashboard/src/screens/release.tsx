import type { ScreenProps } from "../app";

export default function Release({ project }: ScreenProps) {
  return <h1>Release {project}</h1>;
}
