// Shown when the login ended while the page was open: nothing typed is lost, log in beside it and go on.
import { useEffect, useState } from "preact/hooks";
import { forgetToken } from "../lib/csrf";
import { isSignedOut, loginAddress, lookAgain, onSignedOut } from "../lib/signed-out";

export function SignedOutNotice() {
  const [out, setOut] = useState(isSignedOut);
  useEffect(
    () =>
      onSignedOut((now) => {
        forgetToken();
        setOut(now);
      }),
    [],
  );
  useEffect(() => {
    if (!out) return undefined;
    const look = () => void lookAgain();
    addEventListener("focus", look);
    document.addEventListener("visibilitychange", look);
    return () => {
      removeEventListener("focus", look);
      document.removeEventListener("visibilitychange", look);
    };
  }, [out]);
  if (!out) return null;
  return (
    <div class="notice warn" role="alert">
      <div>
        <strong>You were signed out.</strong> What you typed is still here. Log in in a new window, then come back and send it again.
      </div>
      <a class="button main" href={loginAddress()} target="_blank" rel="noopener">
        Log in in a new window
      </a>
      <button type="button" onClick={() => void lookAgain()}>
        I am back
      </button>
    </div>
  );
}
