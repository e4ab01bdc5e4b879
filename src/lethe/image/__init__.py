"""Images: lanes, conversion that loses nothing, de-facing, verdicts, and back to DICOM."""
