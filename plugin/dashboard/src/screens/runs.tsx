import type { ScreenProps } from "../app";

export default function Runs({ project }: ScreenProps) {
  return <h1>Runs {project}</h1>;
}
