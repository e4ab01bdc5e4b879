import type { ScreenProps } from "../app";

export default function Clinical({ project }: ScreenProps) {
  return <h1>Clinical {project}</h1>;
}
