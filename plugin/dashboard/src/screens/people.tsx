import type { ScreenProps } from "../app";

export default function People({ project }: ScreenProps) {
  return <h1>People {project}</h1>;
}
