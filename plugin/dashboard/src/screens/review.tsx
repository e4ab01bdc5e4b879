import type { ScreenProps } from "../app";

export default function Review({ project }: ScreenProps) {
  return <h1>Review {project}</h1>;
}
