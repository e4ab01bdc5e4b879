import type { ScreenProps } from "../app";

export default function Overview({ project }: ScreenProps) {
  return <h1>Overview {project}</h1>;
}
