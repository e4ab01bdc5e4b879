import type { ScreenProps } from "../app";

export default function Subjects({ project }: ScreenProps) {
  return <h1>Subjects {project}</h1>;
}
