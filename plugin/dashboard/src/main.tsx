import { render } from "preact";
import { App } from "./app";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/collection.css";
import "./styles/screens.css";

const target = document.getElementById("app");
if (target) render(<App />, target);
