"""The only code that talks to an XNAT, real or embedded."""
