import type { ScreenProps } from "../app";

export default function Session({ project }: ScreenProps) {
  return <h1>Session {project}</h1>;
}
