// One element of a record as a field of the form.
import type { Check, Element } from "./record";

interface Props {
  element: Element;
  value: string;
  fault: string;
  checks: readonly Check[];
  edited: boolean;
  readOnly: boolean;
  onInput: (value: string) => void;
}

export function Field({ element, value, fault, checks, edited, readOnly, onInput }: Props) {
  const id = `field-${element.name}`;
  const notes = [fault && `${id}-fault`, checks.length && `${id}-checks`, element.hint && `${id}-hint`].filter(Boolean).join(" ");
  const common: Common = {
    id,
    "aria-describedby": notes || undefined,
    "aria-invalid": fault ? "true" : undefined,
    disabled: readOnly,
  };
  return (
    <div class={`field ${edited ? "edited" : ""} ${element.type === "text" && element.length! > 255 ? "wide" : ""}`}>
      <label for={id}>
        {element.label}
        {element.unit && element.unit !== "{score}" && element.unit !== "1" && <span class="unit"> {element.unit}</span>}
        {element.required_for === "inclusion" && <span class="needed"> needed for inclusion</span>}
      </label>
      <Control element={element} value={value} common={common} onInput={onInput} />
      {element.type === "integer" && meaning(element, value) && <span class="hint">{meaning(element, value)}</span>}
      {fault && (
        <span class="wrong" id={`${id}-fault`}>
          {fault}
        </span>
      )}
      {checks.length > 0 && (
        <span class="checks" id={`${id}-checks`}>
          {checks.map((check) => (
            <span key={check.id} class={check.severity}>
              {check.sentence}
            </span>
          ))}
        </span>
      )}
      {element.hint && (
        <span class="hint" id={`${id}-hint`}>
          {element.hint}
        </span>
      )}
    </div>
  );
}

/** "moderate disability" beside a 3 of the modified Rankin Scale. */
function meaning(element: Element, value: string): string {
  return element.codes.find((code) => code.value === value.trim())?.label ?? "";
}

interface Common {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": "true" | undefined;
  disabled: boolean;
}

function Control({ element, value, common, onInput }: { element: Element; value: string; common: Common; onInput: (value: string) => void }) {
  if (element.type === "code" || element.type === "answer") {
    const known = value === "" || element.codes.some((code) => code.value === value);
    return (
      <select {...common} value={value} onChange={(event) => onInput(event.currentTarget.value)}>
        <option value="">–</option>
        {!known && <option value={value}>{value}</option>}
        {element.codes.map((code) => (
          <option key={code.value} value={code.value}>
            {code.label === code.value ? code.value : `${code.value} – ${code.label}`}
          </option>
        ))}
      </select>
    );
  }
  if (element.type === "text" && element.length !== null && element.length > 255) {
    return <textarea {...common} rows={3} value={value} onInput={(event) => onInput(event.currentTarget.value)} />;
  }
  const mode = element.type === "integer" ? "numeric" : element.type === "decimal" ? "decimal" : "text";
  const range = element.minimum !== null && element.maximum !== null ? `${element.minimum} to ${element.maximum}` : "";
  return (
    <input
      {...common}
      inputMode={mode}
      autoComplete="off"
      placeholder={range}
      value={value}
      onInput={(event) => onInput(event.currentTarget.value)}
    />
  );
}
